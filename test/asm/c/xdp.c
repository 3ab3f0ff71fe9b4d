// XDP: a map by BTF, read-only and writable variables, a function of its own, two programs.
#include "bpf.h"

struct {
  UINT(type, 2);
  TYPE(key, u32);
  TYPE(value, u64);
  UINT(max_entries, 256);
} counts SEC(".maps");

const volatile u16 blocked_port = 80;
u64 seen;

static NOINLINE int port(void *data, void *data_end) {
  u8 *p = data;
  if (data + 38 > data_end || p[12] != 8 || p[13] != 0 || p[23] != 6 || p[14] != 0x45)
    return -1;
  return p[36] << 8 | p[37];
}

SEC("xdp")
int filter(struct xdp_md *ctx) {
  int dport = port((void *)(long)ctx->data, (void *)(long)ctx->data_end);
  u32 key = dport & 255;
  u64 *count = map_lookup_elem(&counts, &key);
  if (count)
    __sync_fetch_and_add(count, 1);
  seen++;
  return dport == blocked_port ? 1 : 2;
}

SEC("xdp")
int drop_all(struct xdp_md *ctx) { return 1; }

char _license[] SEC("license") = "GPL";
