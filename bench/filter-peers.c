// The peers of bench/filter.ts and bench/rules.ts: libpcap's interpreter, and the kernel's machine code for an XDP program (kernel-image.h).
//   filter-peers RECORDS CHUNK KIND FILE [KIND FILE]...     KIND: walk | pcap (an expression) | kernel (bytecode; its tables in FILE.tables)
// Reads the number of a peer a line, answers `packets matches checksum` and the nanoseconds of each chunk, or at the start `missing N why`.
#include "kernel-image.h"
#include <pcap/pcap.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct record { uint32_t sec, frac, caplen, len; };
struct xdp_buff { uint8_t *data, *data_end, *data_meta, *hard_start; void *rxq, *txq; uint32_t frame_sz, flags; };
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
      char path[4096];
      snprintf(path, sizeof path, "%s.tables", argv[4 + 2 * i]);
      size_t tables_size = 0;
      uint8_t *tables = access(path, R_OK) ? NULL : slurp(path, &tables_size);
      p->code = kernel_image(code, n, tables, tables_size, &why);
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
