// A dispatcher that tail-calls a program for each protocol, functions verified by themselves, and a loop by a callback.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct {
  __uint(type, BPF_MAP_TYPE_PROG_ARRAY);
  __uint(max_entries, 256);
  __type(key, __u32);
  __type(value, __u32);
} programs SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 64);
  __type(key, __u32);
  __type(value, __u64);
} counts SEC(".maps");

SEC("xdp")
int dispatch(struct xdp_md *ctx) {
  void *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = (void *)(long)ctx->data;
  struct iphdr *ip = (void *)(eth + 1);
  if ((void *)(ip + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP)) return XDP_PASS;
  bpf_tail_call(ctx, &programs, ip->protocol);
  return XDP_PASS;
}

__attribute__((noinline)) int weigh(struct xdp_md *ctx, __u32 *seed) {
  if (!seed) return 0;
  *seed = *seed * 31 + ctx->rx_queue_index;
  return *seed & 3;
}

struct sum {
  __u64 total;
  __u32 least;
};

static long add(__u32 index, struct sum *sum) {
  index &= 63;
  __u64 *count = bpf_map_lookup_elem(&counts, &index);
  if (!count) return 1;
  sum->total += *count;
  return *count < sum->least;
}

SEC("xdp")
int balance(struct xdp_md *ctx) {
  __u32 seed = bpf_get_prandom_u32();
  struct sum sum = {.least = 1};
  bpf_loop(64, add, &sum, 0);
  return weigh(ctx, &seed) == 0 && sum.total > 1000 ? XDP_DROP : XDP_PASS;
}

SEC("xdp")
int careless(struct xdp_md *ctx) {
  void *end = (void *)(long)ctx->data_end;
  struct ethhdr *eth = (void *)(long)ctx->data;
  if ((void *)(eth + 1) > end) return XDP_PASS;
  struct iphdr *ip = (void *)(eth + 1);
  return ip->ttl == 1 ? XDP_DROP : XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
