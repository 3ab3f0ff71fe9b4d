// The kernel's side of bench/maps.ts: a map with given contents, and a program with lookups in it under BPF_PROG_TEST_RUN.
//   map-peer TYPE KEY_SIZE ENTRIES FLAGS KEYS VALUES PROGRAM
// Says `ready NANOSECONDS` (of filling the map) or `missing WHY`; then for each line read, a seed for the packet:
// `nanoseconds return-value` of one run.
#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int bpf(int command, union bpf_attr *attr) { return syscall(SYS_bpf, command, attr, sizeof *attr); }

static uint8_t *slurp(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  if (!f) { perror(path); exit(2); }
  fseek(f, 0, SEEK_END);
  *size = ftell(f);
  rewind(f);
  uint8_t *p = malloc(*size + 1);
  if (fread(p, 1, *size, f) != *size) exit(2);
  fclose(f);
  return p;
}

static void missing(const char *what) {
  printf("missing %s: %s\n", what, strerror(errno));
  exit(0);
}

int main(int argc, char **argv) {
  if (argc != 8) return 2;
  size_t key_size = atoi(argv[2]), entries = atoi(argv[3]), size;
  union bpf_attr a;
  memset(&a, 0, sizeof a);
  a.map_type = atoi(argv[1]);
  a.key_size = key_size;
  a.value_size = 8;
  a.max_entries = entries;
  a.map_flags = atoi(argv[4]);
  int map = bpf(BPF_MAP_CREATE, &a);
  if (map < 0) missing("map");
  uint8_t *keys = slurp(argv[5], &size), *values = slurp(argv[6], &size);
  struct timespec t0, t1;
  clock_gettime(CLOCK_MONOTONIC, &t0);
  long cpus = sysconf(_SC_NPROCESSORS_CONF);
  uint64_t row[1024];
  for (size_t i = 0; i < entries; i++) {
    memset(&a, 0, sizeof a);
    for (long c = 0; c < cpus && c < 1024; c++) memcpy(&row[c], values + i * 8, 8);
    a.map_fd = map;
    a.key = (uintptr_t)(keys + i * key_size);
    a.value = (uintptr_t)row;
    if (bpf(BPF_MAP_UPDATE_ELEM, &a) < 0) missing("update");
  }
  clock_gettime(CLOCK_MONOTONIC, &t1);
  struct bpf_insn *insns = (struct bpf_insn *)slurp(argv[7], &size);
  for (size_t i = 0; i < size / 8; i++)
    if (insns[i].code == 0x18 && insns[i].src_reg != 0) {
      insns[i].src_reg = BPF_PSEUDO_MAP_FD;
      insns[i].imm = map;
    }
  memset(&a, 0, sizeof a);
  a.prog_type = BPF_PROG_TYPE_XDP;
  a.insns = (uintptr_t)insns;
  a.insn_cnt = size / 8;
  a.license = (uintptr_t)"GPL";
  int prog = bpf(BPF_PROG_LOAD, &a);
  if (prog < 0) missing("program");
  printf("ready %lld\n", (t1.tv_sec - t0.tv_sec) * 1000000000ll + t1.tv_nsec - t0.tv_nsec);
  fflush(stdout);
  uint8_t packet[64] = {0};
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    uint32_t seed = strtoul(line, NULL, 10);
    memcpy(packet, &seed, 4);
    memset(&a, 0, sizeof a);
    a.test.prog_fd = prog;
    a.test.data_in = (uintptr_t)packet;
    a.test.data_size_in = sizeof packet;
    a.test.repeat = 1;
    if (bpf(BPF_PROG_TEST_RUN, &a) < 0) missing("run");
    printf("%u %u\n", a.test.duration, a.test.retval);
    fflush(stdout);
  }
  return 0;
}
