/* images/erofs_format - what the bytes of an EROFS image are (little endian; Linux 6.12 and later).
 */
#pragma once
#include <stdint.h>

#define EROFS_MAGIC        0xe0f5e1e2u
#define EROFS_SUPER_AT     1024u
#define EROFS_BLOCK_BITS   9u /* 512: tar content starts on such bounds */
#define EROFS_BLOCK        (1u << EROFS_BLOCK_BITS)
#define EROFS_SLOT         32u /* an inode's address is a multiple of it */
#define EROFS_DEVICE_SLOT  9u  /* in units of 128 bytes: directly behind the superblock */
#define EROFS_HOLE         0xffffffffu
#define EROFS_CHUNKED_FILE 0x4u
#define EROFS_DEVICE_TABLE 0x8u
#define EROFS_CHUNK_INDEX  0x20u

enum erofs_layout { EROFS_PLAIN = 0, EROFS_INLINE = 2, EROFS_CHUNKED = 4 };

struct erofs_super {
	uint32_t magic, checksum, feature_compat;
	uint8_t block_bits, ext_slots;
	uint16_t root_nid;
	uint64_t inode_count, epoch;
	uint32_t epoch_ns, block_count, meta_block, xattr_block;
	uint8_t uuid[16], volume[16];
	uint32_t feature_incompat;
	uint16_t compression;
	uint16_t device_count;
	uint16_t device_slot;
	uint8_t dir_block_bits, xattr_prefix_count;
	uint32_t xattr_prefix_start;
	uint64_t packed_nid;
	uint8_t reserved[24];
} __attribute__((packed));

struct erofs_device {
	uint8_t tag[64];
	uint32_t block_count, uniform_block;
	uint8_t reserved[56];
} __attribute__((packed));

struct erofs_inode {
	uint16_t format; /* bit 0: this long form; bits 1-3: layout */
	uint16_t xattr_count;
	uint16_t mode;
	uint16_t reserved;
	uint64_t size;
	uint32_t u; /* first block, device number or chunk format */
	uint32_t number;
	uint32_t uid, gid;
	uint64_t mtime;
	uint32_t mtime_ns;
	uint32_t link_count;
	uint8_t reserved2[16];
} __attribute__((packed));

struct erofs_chunk {
	uint16_t block_high, device;
	uint32_t block;
} __attribute__((packed));

struct erofs_dirent {
	uint64_t nid;
	uint16_t name_at;
	uint8_t type, reserved;
} __attribute__((packed));

struct erofs_xattr_head {
	uint32_t filter;
	uint8_t shared_count, reserved[7];
} __attribute__((packed));

struct erofs_xattr {
	uint8_t name_len, index;
	uint16_t value_len;
} __attribute__((packed));

_Static_assert(sizeof(struct erofs_super) == 128, "superblock");
_Static_assert(sizeof(struct erofs_device) == 128, "device slot");
_Static_assert(sizeof(struct erofs_inode) == 64, "inode");
_Static_assert(sizeof(struct erofs_dirent) == 12, "dirent");
_Static_assert(sizeof(struct erofs_xattr_head) == 12, "xattr head");
