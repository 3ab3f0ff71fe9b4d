// A table of connections: each under a lock, with packets, bytes and a state; closed ones are reported by a ring buffer.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct flow {
  __be32 saddr, daddr;
  __be16 sport, dport;
};

struct connection {
  struct bpf_spin_lock lock;
  __u32 state;
  __u64 packets, bytes, last;
};

struct report {
  struct flow flow;
  __u64 packets, bytes;
};

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 65536);
  __type(key, struct flow);
  __type(value, struct connection);
} connections SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 65536);
} reports SEC(".maps");

SEC("tc")
int track(struct __sk_buff *skb) {
  void *end = (void *)(long)skb->data_end;
  struct ethhdr *eth = (void *)(long)skb->data;
  struct iphdr *ip = (void *)(eth + 1);
  struct tcphdr *tcp = (void *)(ip + 1);
  if ((void *)(tcp + 1) > end) return TC_ACT_OK;
  if (eth->h_proto != bpf_htons(ETH_P_IP) || ip->protocol != IPPROTO_TCP || ip->ihl != 5) return TC_ACT_OK;
  struct flow flow = {ip->saddr, ip->daddr, tcp->source, tcp->dest};
  struct connection *found = bpf_map_lookup_elem(&connections, &flow);
  if (!found) {
    if (!tcp->syn) return TC_ACT_SHOT;
    struct connection fresh = {.packets = 1, .bytes = skb->len, .last = bpf_ktime_get_ns()};
    bpf_map_update_elem(&connections, &flow, &fresh, BPF_NOEXIST);
    return TC_ACT_OK;
  }
  __u64 now = bpf_ktime_get_ns(), packets, bytes;
  int closes = tcp->fin || tcp->rst;
  bpf_spin_lock(&found->lock);
  packets = ++found->packets;
  found->bytes += skb->len;
  bytes = found->bytes;
  found->last = now;
  if (closes) found->state = 2;
  bpf_spin_unlock(&found->lock);
  if (!closes) return TC_ACT_OK;
  struct report *report = bpf_ringbuf_reserve(&reports, sizeof(*report), 0);
  if (!report) return TC_ACT_OK;
  report->flow = flow;
  report->packets = packets;
  report->bytes = bytes;
  bpf_ringbuf_submit(report, 0);
  return TC_ACT_OK;
}

char LICENSE[] SEC("license") = "GPL";
