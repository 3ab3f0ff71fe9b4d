// tc: a hash map with flags, a struct as value, a callback by function pointer.
#include "bpf.h"

struct flow {
  u64 packets;
  u32 mark;
};

struct {
  UINT(type, 1);
  UINT(key_size, 4);
  TYPE(value, struct flow);
  UINT(max_entries, 1024);
  UINT(map_flags, 1);
} flows SEC(".maps");

static int add(u32 i, u64 *sum) {
  *sum += i;
  return 0;
}

SEC("tc")
int classify(struct __sk_buff *skb) {
  u64 sum = 0;
  u32 key = skb->hash;
  struct flow *flow = map_lookup_elem(&flows, &key);
  bpf_loop(10, add, &sum, 0);
  if (flow)
    flow->packets += sum;
  return skb->len > 1000 ? 2 : 0;
}

char _license[] SEC("license") = "GPL";
