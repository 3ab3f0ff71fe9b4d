// Socket filter: a legacy map definition, no BTF at all.
#include "bpf.h"

struct bpf_map_def {
  u32 type, key_size, value_size, max_entries, map_flags;
};

struct bpf_map_def ports SEC("maps") = {2, 4, 4, 16, 0};

SEC("socket")
int tcp_only(struct __sk_buff *skb) {
  u8 protocol = 0;
  u32 key = 3;
  u32 *wanted;
  if (skb_load_bytes(skb, 23, &protocol, 1) < 0)
    return 0;
  wanted = map_lookup_elem(&ports, &key);
  if (wanted && *wanted == protocol)
    return -1;
  return protocol == 6 ? -1 : 0;
}

char _license[] SEC("license") = "GPL";
