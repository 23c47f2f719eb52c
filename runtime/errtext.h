/* runtime/errtext - texts of errno as engines know them: "permission denied". Pure. */
#pragma once

/* In place: every ": Text of an errno" begins in lower case. */
void errtext_lower(char *text);
