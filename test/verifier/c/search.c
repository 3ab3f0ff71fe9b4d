// A linear search over pairs of ranges in read-only data. The data is frozen before the program is loaded, so the verifier knows every
// row, learns something new of both keys with each, and goes through the loop once for each way that they can have come.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/tcp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

struct row {
	__u32 lo, hi;
	__u16 first, last;
};

static const struct row rows[] = {
	{ 0x0a000000, 0x0a000000, 1000, 1000 }, { 0x0a010003, 0x0a010028, 1041, 1048 },
	{ 0x0a020006, 0x0a020050, 1082, 1096 }, { 0x0a030009, 0x0a030078, 1123, 1123 },
	{ 0x0a04000c, 0x0a0400a0, 1164, 1171 }, { 0x0a05000f, 0x0a0500c8, 1205, 1219 },
	{ 0x0a060012, 0x0a0600f0, 1246, 1246 }, { 0x0a070015, 0x0a070118, 1287, 1294 },
	{ 0x0a080018, 0x0a080140, 1328, 1342 }, { 0x0a09001b, 0x0a09003c, 1369, 1369 },
	{ 0x0a0a001e, 0x0a0a0064, 1410, 1417 }, { 0x0a0b0021, 0x0a0b008c, 1451, 1465 },
	{ 0x0a0c0024, 0x0a0c00b4, 1492, 1492 }, { 0x0a0d0027, 0x0a0d00dc, 1533, 1540 },
	{ 0x0a0e002a, 0x0a0e0104, 1574, 1588 }, { 0x0a0f002d, 0x0a0f012c, 1615, 1615 },
	{ 0x0a100030, 0x0a100154, 1656, 1663 }, { 0x0a110033, 0x0a110050, 1697, 1711 },
	{ 0x0a120036, 0x0a120078, 1738, 1738 }, { 0x0a130039, 0x0a1300a0, 1779, 1786 },
	{ 0x0a14003c, 0x0a1400c8, 1820, 1834 }, { 0x0a15003f, 0x0a1500f0, 1861, 1861 },
	{ 0x0a160042, 0x0a160118, 1902, 1909 }, { 0x0a170045, 0x0a170140, 1943, 1957 },
	{ 0x0a180048, 0x0a180168, 1984, 1984 }, { 0x0a19004b, 0x0a190064, 2025, 2032 },
	{ 0x0a1a004e, 0x0a1a008c, 2066, 2080 }, { 0x0a1b0051, 0x0a1b00b4, 2107, 2107 },
	{ 0x0a1c0054, 0x0a1c00dc, 2148, 2155 }, { 0x0a1d0057, 0x0a1d0104, 2189, 2203 },
	{ 0x0a1e005a, 0x0a1e012c, 2230, 2230 }, { 0x0a1f005d, 0x0a1f0154, 2271, 2278 },
	{ 0x0a200060, 0x0a20017c, 2312, 2326 }, { 0x0a210063, 0x0a210078, 2353, 2353 },
	{ 0x0a220066, 0x0a2200a0, 2394, 2401 }, { 0x0a230069, 0x0a2300c8, 2435, 2449 },
	{ 0x0a24006c, 0x0a2400f0, 2476, 2476 }, { 0x0a25006f, 0x0a250118, 2517, 2524 },
	{ 0x0a260072, 0x0a260140, 2558, 2572 }, { 0x0a270075, 0x0a270168, 2599, 2599 },
};

SEC("xdp")
int search(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip = data + sizeof(*eth);
	struct tcphdr *tcp = (void *)(ip + 1);

	if ((void *)(tcp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IP) || ip->ihl != 5 || ip->protocol != IPPROTO_TCP)
		return XDP_PASS;
	__u32 address = bpf_ntohl(ip->saddr);
	__u16 port = bpf_ntohs(tcp->dest);
#pragma clang loop unroll(disable)
	for (unsigned i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		if (address >= rows[i].lo && address <= rows[i].hi && port >= rows[i].first && port <= rows[i].last)
			return XDP_DROP;
	return XDP_PASS;
}

char LICENSE[] SEC("license") = "GPL";
