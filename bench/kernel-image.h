// The machine code that the kernel's JIT makes of an XDP program, to be called in this process: the way to a kernel number without a system
// call a packet. A program may have one map, an array of one value that its tables lie in: the code says the value's address, so it is made to say
// that of a copy here, in pages of the size that the kernel has them in.
#define _GNU_SOURCE
#include <errno.h>
#define bpf_insn kernel_bpf_insn
#include <linux/bpf.h>
#undef bpf_insn
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef unsigned (*image)(const void *ctx, const void *insns);

static int bpf_call(int cmd, union bpf_attr *a) { return syscall(SYS_bpf, cmd, a, sizeof *a); }

// An array map whose only value is the tables, which programs can only read; -1 and a reason in errno.
static int tables_map(const uint8_t *tables, size_t size) {
  union bpf_attr a;
  memset(&a, 0, sizeof a);
  a.map_type = BPF_MAP_TYPE_ARRAY;
  a.key_size = 4;
  a.value_size = size;
  a.max_entries = 1;
  a.map_flags = BPF_F_RDONLY_PROG;
  int fd = bpf_call(BPF_MAP_CREATE, &a);
  if (fd < 0) return -1;
  uint32_t key = 0;
  memset(&a, 0, sizeof a);
  a.map_fd = fd;
  a.key = (uintptr_t)&key;
  a.value = (uintptr_t)tables;
  if (bpf_call(BPF_MAP_UPDATE_ELEM, &a) < 0) return -1;
  memset(&a, 0, sizeof a);
  a.map_fd = fd;
  return bpf_call(BPF_MAP_FREEZE, &a) < 0 ? -1 : fd;
}

#define FUNCTIONS 256
// The code of all functions of a program, one behind the other, and where each is in the kernel.
struct jited { uint8_t *code; uint32_t length, functions, lengths[FUNCTIONS]; uint64_t addresses[FUNCTIONS]; };

// Loads a program and fetches its machine code; no code, and why not.
static struct jited *jit(const uint8_t *insns, size_t size, int map, const char **why) {
  struct jited *out = calloc(1, sizeof *out);
  union bpf_attr a;
  memset(&a, 0, sizeof a);
  a.prog_type = BPF_PROG_TYPE_XDP;
  a.insns = (uintptr_t)insns;
  a.insn_cnt = size / 8;
  a.license = (uintptr_t)"GPL";
  a.fd_array = (uintptr_t)&map;
  int fd = bpf_call(BPF_PROG_LOAD, &a);
  if (fd < 0) { *why = strerror(errno); return out; }
  *why = "no JIT image";
  struct bpf_prog_info info;
  memset(&info, 0, sizeof info);
  memset(&a, 0, sizeof a);
  a.info.bpf_fd = fd;
  a.info.info_len = sizeof info;
  a.info.info = (uintptr_t)&info;
  if (bpf_call(BPF_OBJ_GET_INFO_BY_FD, &a) == 0 && info.jited_prog_len > 0) {
    out->length = info.jited_prog_len;
    out->code = mmap(NULL, out->length, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(&info, 0, sizeof info);
    info.jited_prog_len = out->length;
    info.jited_prog_insns = (uintptr_t)out->code;
    info.nr_jited_ksyms = info.nr_jited_func_lens = FUNCTIONS;
    info.jited_ksyms = (uintptr_t)out->addresses;
    info.jited_func_lens = (uintptr_t)out->lengths;
    if (bpf_call(BPF_OBJ_GET_INFO_BY_FD, &a) < 0 || out->addresses[0] == 0) out->code = NULL;
    out->functions = info.nr_jited_func_lens;
  }
  close(fd);
  return out;
}

// Where a call or jump at a place of a function's code, five bytes long, leads in the kernel.
static uint64_t target(uint64_t address, const uint8_t *code, uint32_t at) {
  int32_t distance;
  memcpy(&distance, code + at + 1, 4);
  return address + at + 5 + distance;
}

// A function returns at one place, by leave; ret, or by leave; jmp to the kernel's return thunk: that becomes the former. Calls of other functions
// lead to where they are now.
static int patch_function(struct jited *p, uint32_t start, uint32_t number, uint64_t thunk) {
  uint8_t *code = p->code + start;
  uint64_t address = p->addresses[number];
  int returns = 0;
  for (uint32_t i = 0; i + 6 <= p->lengths[number]; i++) {
    if (thunk && code[i] == 0xc9 && code[i + 1] == 0xe9 && target(address, code, i + 1) == thunk) {
      code[i + 1] = 0xc3;
      returns++;
    } else if (code[i] == 0xe8) {
      uint32_t to = 0;
      for (uint32_t k = 0; k < p->functions; to += p->lengths[k++]) {
        if (target(address, code, i) != p->addresses[k]) continue;
        int32_t distance = (int32_t)to - (int32_t)(start + i + 5);
        memcpy(code + i + 1, &distance, 4);
        i += 4;
        break;
      }
    }
  }
  return returns == (thunk != 0);
}

// A program that does nothing else tells where the return thunk is.
static int patch_functions(struct jited *p) {
  static const uint8_t nothing[] = {0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0};
  const char *why;
  struct jited *empty = jit(nothing, sizeof nothing, -1, &why);
  if (!empty->code) return 0;
  uint64_t thunk = 0;
  for (uint32_t i = 0; i + 6 <= empty->length; i++)
    if (empty->code[i] == 0xc9 && empty->code[i + 1] == 0xe9) thunk = target(empty->addresses[0], empty->code, i + 1);
  uint32_t start = 0;
  for (uint32_t k = 0; k < p->functions; start += p->lengths[k++])
    if (!patch_function(p, start, k, thunk)) return 0;
  return 1;
}

// Bytecode names places in the tables in its order, and the code as often and in the same one (movabs reg, imm64): each becomes the place in the copy.
static int patch_tables(struct jited *p, const uint8_t *insns, size_t size, const uint8_t *copy) {
  uint8_t *code = p->code;
  uint32_t length = p->length;
  uint64_t base = 0;
  uint32_t at = 0;
  for (size_t i = 0; i + 16 <= size; i += 8) {
    if (insns[i] != 0x18) continue;
    int tables = insns[i + 1] >> 4 == BPF_PSEUDO_MAP_IDX_VALUE;
    uint32_t offset;
    memcpy(&offset, insns + i + 12, 4);
    i += 8;
    if (!tables) continue;
    uint64_t value = 0;
    for (; at + 10 <= length; at++) {
      if ((code[at] & 0xfe) != 0x48 || (code[at + 1] & 0xf8) != 0xb8) continue;
      memcpy(&value, code + at + 2, 8);
      // An address of the kernel's.
      if (value >> 47 == 0x1ffff) break;
    }
    if (at + 10 > length) return 0;
    if (base == 0) base = value - offset;
    if (value != base + offset) return 0;
    value = (uintptr_t)copy + offset;
    memcpy(code + at + 2, &value, 8);
    at += 10;
  }
  return 1;
}

// A program's machine code, made to run here; NULL and why not.
static image kernel_image(const uint8_t *insns, size_t size, const uint8_t *tables, size_t tables_size, const char **why) {
  int map = -1;
  if (tables_size && (map = tables_map(tables, tables_size)) < 0) { *why = strerror(errno); return NULL; }
  struct jited *p = jit(insns, size, map, why);
  if (map >= 0) close(map);
  if (!p->code) return NULL;
  *why = "the JIT's returns are not as known";
  if (!patch_functions(p)) return NULL;
  if (tables_size) {
    uint8_t *copy = mmap(NULL, tables_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(copy, tables_size, MADV_NOHUGEPAGE);
    memcpy(copy, tables, tables_size);
    *why = "the JIT's addresses are not as known";
    if (!patch_tables(p, insns, size, copy)) return NULL;
  }
  *why = NULL;
  return (image)p->code;
}
