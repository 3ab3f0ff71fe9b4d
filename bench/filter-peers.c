// The peers of bench/filter.ts: libpcap's interpreter, and the machine code that the kernel's JIT makes of an XDP program,
// called in this process (the way to a kernel number without a system call a packet).
//   filter-peers RECORDS CHUNK KIND FILE [KIND FILE]...     KIND: walk | pcap (an expression) | kernel (bytecode)
// Reads the number of a peer a line, answers `packets matches checksum` and the nanoseconds of each chunk, or at the start `missing N why`.
#define _GNU_SOURCE
#include <errno.h>
#define bpf_insn kernel_bpf_insn
#include <linux/bpf.h>
#undef bpf_insn
#include <pcap/pcap.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

struct record { uint32_t sec, frac, caplen, len; };
struct xdp_buff { uint8_t *data, *data_end, *data_meta, *hard_start; void *rxq, *txq; uint32_t frame_sz, flags; };
typedef unsigned (*image)(const void *ctx, const void *insns);
struct peer { const char *kind; struct bpf_program pcap; image code; };

static uint8_t *slurp(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  if (!f) { perror(path); exit(2); }
  fseek(f, 0, SEEK_END);
  *size = ftell(f);
  rewind(f);
  uint8_t *p = malloc(*size + 1);
  if (fread(p, 1, *size, f) != *size) exit(2);
  p[*size] = 0;
  fclose(f);
  return p;
}

// Loads a program, fetches its machine code, and makes its returns plain ones.
static image kernel_image(const uint8_t *insns, size_t size, const char **why) {
  union bpf_attr a;
  memset(&a, 0, sizeof a);
  a.prog_type = BPF_PROG_TYPE_XDP;
  a.insns = (uintptr_t)insns;
  a.insn_cnt = size / 8;
  a.license = (uintptr_t)"GPL";
  int fd = syscall(SYS_bpf, BPF_PROG_LOAD, &a, sizeof a);
  if (fd < 0) { *why = strerror(errno); return NULL; }
  struct bpf_prog_info info;
  memset(&info, 0, sizeof info);
  memset(&a, 0, sizeof a);
  a.info.bpf_fd = fd;
  a.info.info_len = sizeof info;
  a.info.info = (uintptr_t)&info;
  if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &a, sizeof a) < 0 || info.jited_prog_len == 0) { *why = "no JIT image"; return NULL; }
  uint32_t length = info.jited_prog_len;
  uint8_t *code = mmap(NULL, length + 64, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(&info, 0, sizeof info);
  info.jited_prog_len = length;
  info.jited_prog_insns = (uintptr_t)code;
  if (syscall(SYS_bpf, BPF_OBJ_GET_INFO_BY_FD, &a, sizeof a) < 0) { *why = "no JIT image"; return NULL; }
  close(fd);
  // The one exit, at the end: leave; jmp to the kernel's return thunk. It becomes leave; ret.
  int patched = 0;
  for (uint32_t i = length; i-- > 0 && !patched;)
    if (i + 6 <= length && code[i] == 0xc9 && (code[i + 1] == 0xe9 || code[i + 1] == 0xc3)) { code[i + 1] = 0xc3; patched = 1; }
  if (!patched) { *why = "the JIT's returns are not as known"; return NULL; }
  return (image)code;
}

int main(int argc, char **argv) {
  size_t size;
  uint8_t *records = slurp(argv[1], &size);
  size_t most = strtoul(argv[2], NULL, 10);
  uint8_t *buffer = malloc(most + 65536);
  // Chunks are half full at least, records being no longer than 1530 bytes.
  uint64_t *ns = calloc(size / (most / 2) + 2, sizeof *ns);
  int count = (argc - 3) / 2;
  struct peer *peers = calloc(count, sizeof *peers);
  for (int i = 0; i < count; i++) {
    struct peer *p = &peers[i];
    p->kind = argv[3 + 2 * i];
    const char *why = NULL;
    size_t n;
    if (!strcmp(p->kind, "pcap")) {
      pcap_t *handle = pcap_open_dead(DLT_EN10MB, 65535);
      if (pcap_compile(handle, &p->pcap, (char *)slurp(argv[4 + 2 * i], &n), 1, PCAP_NETMASK_UNKNOWN)) why = pcap_geterr(handle);
    } else if (!strcmp(p->kind, "kernel")) {
      uint8_t *code = slurp(argv[4 + 2 * i], &n);
      p->code = kernel_image(code, n, &why);
    }
    if (why) printf("missing %d %s\n", i, why);
  }
  printf("ready\n");
  fflush(stdout);
  char line[64];
  while (fgets(line, sizeof line, stdin)) {
    struct peer *p = &peers[atoi(line)];
    uint64_t packets = 0, matches = 0;
    size_t chunks = 0;
    uint32_t sum = 0;
    for (size_t at = 0; at < size;) {
      size_t end = at;
      while (end < size) {
        size_t next = end + sizeof(struct record) + ((struct record *)(records + end))->caplen;
        if (next - at > most) break;
        end = next;
      }
      memcpy(buffer, records + at, end - at);
      struct timespec t0, t1;
      uint8_t *q = buffer, *stop = buffer + (end - at);
      clock_gettime(CLOCK_MONOTONIC, &t0);
      if (p->code) {
        struct xdp_buff ctx = {0};
        while (q < stop) {
          struct record *r = (struct record *)q;
          ctx.data = ctx.data_meta = q + sizeof *r;
          ctx.data_end = ctx.data + r->caplen;
          unsigned hit = p->code(&ctx, NULL) == 2;
          matches += hit;
          sum = sum * 31 + hit;
          packets++;
          q = ctx.data_end;
        }
      } else if (p->pcap.bf_insns) {
        while (q < stop) {
          struct record *r = (struct record *)q;
          unsigned hit = bpf_filter(p->pcap.bf_insns, q + sizeof *r, r->len, r->caplen) != 0;
          matches += hit;
          sum = sum * 31 + hit;
          packets++;
          q += sizeof *r + r->caplen;
        }
      } else {
        while (q < stop) {
          struct record *r = (struct record *)q;
          matches += r->caplen > 65535;
          packets++;
          q += sizeof *r + r->caplen;
        }
      }
      clock_gettime(CLOCK_MONOTONIC, &t1);
      ns[chunks++] = (t1.tv_sec - t0.tv_sec) * 1000000000ull + t1.tv_nsec - t0.tv_nsec;
      at = end;
    }
    printf("%llu %llu %u", (unsigned long long)packets, (unsigned long long)matches, sum);
    for (size_t i = 0; i < chunks; i++) printf(" %llu", (unsigned long long)ns[i]);
    printf("\n");
    fflush(stdout);
  }
  return 0;
}
