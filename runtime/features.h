/* runtime/features - what this build and this kernel can do, generated from the tables in use. */
#pragma once
#include <json-c/json.h>

#define OCI_VERSION     "1.3.0" /* of the runtime-spec that we follow */
#define OCI_VERSION_MIN "1.0.0"

/* The features document of the runtime-spec. To be put. Blocks: reads /proc. */
struct json_object *features_json(void);
