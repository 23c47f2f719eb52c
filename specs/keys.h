/* specs/keys - the key tables: one row for each key of the specification.
 *
 * A row says name, form, field, rule of merging, check and meaning; everything that handles
 * documents runs over these tables: specs/shape (short to long, types), specs/merge, specs/finish
 * (defaults, what must be there), specs/decode (tree to struct), specs/model_json (struct to JSON)
 * and the page docs/compose-support.md. Rows stand in the order in which `config` prints them.
 * Tables are constant; thread-safe.
 */
#pragma once
#include "base/err.h"
#include "specs/node.h"

#define NO_FIELD SIZE_MAX

/* What a value may look like (raw form -> canonical form; type of the field). */
enum key_kind {
	KEY_TEXT,             /* text; const char * */
	KEY_LOOSE,            /* text or number -> text; const char * */
	KEY_BOOL,             /* boolean; bool */
	KEY_OPT_BOOL,         /* boolean; struct opt_bool */
	KEY_INT,              /* whole number (fractions are cut); struct opt_int */
	KEY_INT_TEXT,         /* the same, printed as text */
	KEY_MODE,             /* number by value, text octal -> "0440"; struct opt_int */
	KEY_NUMBER,           /* number; struct opt_number */
	KEY_PORT,             /* 1-65535; unsigned */
	KEY_BYTES,            /* size -> decimal text; struct opt_bytes */
	KEY_DURATION,         /* text -> normal form; struct opt_time */
	KEY_STATUS,           /* 200 or "200-399"; two unsigned */
	KEY_TEXTS,            /* list of text; struct texts */
	KEY_LOOSE_TEXTS,      /* list of text and numbers -> text; struct texts */
	KEY_TEXT_OR_LIST,     /* text or list -> list; struct texts */
	KEY_COMMAND,          /* text (split), list, nothing; struct command */
	KEY_TEST,             /* text (CMD-SHELL) or list; struct command */
	KEY_HOSTS,            /* list of HOST=IP, or map -> list; struct texts */
	KEY_PAIRS,            /* list of NAME=VALUE, or map -> map; struct pairs */
	KEY_OPTIONS,          /* map of text and numbers; struct pairs */
	KEY_SSH,              /* as pairs; printed as a list */
	KEY_ULIMITS,          /* map of number or {soft, hard}; list of struct ulimit */
	KEY_PROVIDER_OPTIONS, /* map of text or list; list of struct provider_option */
	KEY_EXTERNAL,         /* boolean, or {name}; bool */
	KEY_OBJECT,           /* map, or the table's short form; pointer to the table's struct */
	KEY_INLINE,           /* map whose fields lie in the same struct */
	KEY_OBJECTS,          /* list of maps or short forms; pointer and count */
	KEY_NAMED,            /* map of name -> map; pointer and count, sorted */
	KEY_NAMES,            /* as KEY_NAMED, or a list of names */
	KEY_KIND_COUNT
};

enum key_flag {
	KEY_NEEDED = 1u << 0,        /* must be there */
	KEY_NULL_OK = 1u << 1,       /* `key:` without a value is no error */
	KEY_ZERO_UNSET = 1u << 2,    /* 0 is the same as nothing */
	KEY_SHOWN = 1u << 3,         /* false is printed, too */
	KEY_JSON_EMPTY = 1u << 4,    /* JSON prints {} when absent */
	KEY_REPLACED = 1u << 5,      /* merging replaces the value whole, null included */
	KEY_UNIQUE = 1u << 6,        /* repeats in a list are dropped */
	KEY_NO_REPEATS = 1u << 7,    /* repeats in a list are an error */
	KEY_NULL_TO_EMPTY = 1u << 8, /* pairs: NAME without value is "" */
	KEY_EXTENSION = 1u << 9,     /* an x- key: printed with the nested extensions only */
	KEY_WARNED = 1u << 10,       /* accepted, has no effect here: one warning */
	KEY_REFUSED = 1u << 11,      /* accepted by `config` with a warning, refused by `up` */
	KEY_ALL_OK = 1u << 12,       /* a number that may be "all": -1 */
	KEY_ONE_OK = 1u << 13,       /* a list that may be one scalar */
	KEY_EMPTY_OK = 1u << 14,     /* an empty text is a value, and not the same as nothing */
};

struct shape;
struct table;

struct key {
	const char *name;
	enum key_kind kind;
	unsigned flags;
	size_t offset; /* of the field; NO_FIELD: the key is used up while loading */
	const struct table *table;
	/* Texts allowed, separated by blanks; or a function that says what is wrong. */
	const char *choices;
	int (*check)(const char *text, struct err *err);
	double minimum; /* of numbers, when has_minimum */
	bool has_minimum;
	const char *doc; /* meaning, for the reference page */
};

struct table {
	const char *what; /* "a port" */
	const struct key *keys;
	size_t count;
	size_t size; /* of the struct; its first field is the name in KEY_NAMED and KEY_NAMES */
	size_t place_offset;      /* NO_FIELD: none */
	size_t extensions_offset; /* NO_FIELD: none */
	size_t null_offset;       /* bool for "the value is null"; NO_FIELD: null is an empty map */
	/* Short form (a scalar) -> long forms, pushed to out_list. NULL: there is none. */
	int (*expand)(struct shape *shape, const struct node *item, const struct path *path,
		      struct node *out_list);
	/* After the shaping of a map in one document. */
	int (*settle)(struct shape *shape, struct node *map, const struct path *path);
	/* After the merge: defaults, and what keys of one map mean to each other. */
	int (*finish)(struct shape *shape, struct node *map, const struct path *path);
	/* Text that is unique in a list of these; NULL: no such. */
	const char *(*unique)(struct arena *arena, const struct node *map);
	bool first_place;   /* a repeat keeps the first entry instead of taking its place */
	bool null_names_ok; /* `name:` without a value is fine */
};

/* What the walks over a document share. */
struct shape {
	struct arena *arena;
	struct problems *problems;
	bool is_raw;   /* texts with $ are left as they are (no interpolation) */
	bool is_quiet; /* no warnings (model_json) */
	const char *project_directory;
};

extern const struct table project_table; /* the whole file */
extern const struct table service_table, network_table, volume_table, secret_table, config_table,
	ai_model_table;
/* tables of services' parts, for those that build nodes themselves */
extern const struct table build_table, deploy_table, healthcheck_table, port_table, mount_table,
	file_use_table, secret_use_table, ulimit_table, device_table, dependency_table,
	attachment_table, hook_table, pre_start_table, device_request_table, logging_table,
	blkio_table, develop_table, env_file_table, provider_table, model_use_table,
	credential_spec_table, service_stack_table, probe_table, project_stack_table,
	mount_stack_table, extends_table, include_table;

/* Row of a key; NULL when the table has none. */
const struct key *table_find(const struct table *table, const char *name);
/* The nearest name of the table when a typing slip is likely; else NULL. */
const char *table_near(const struct table *table, const char *name);
/* x- keys but those that have a row. */
bool key_is_extension(const char *name);

#define TABLE_KEYS(rows) .keys = (rows), .count = sizeof(rows) / sizeof(*(rows))
