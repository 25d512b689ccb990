/* The workload of skb/benching/simulator_workload.py on a calendar queue, written for it alone:
 * what a compiler can make of the problem when nothing is general. R. Brown, "Calendar queues",
 * CACM 31(10), 1988. Same interface for every such engine that `skb bench simulator` loads. */
#include <stdint.h>
#include <stdlib.h>

typedef int64_t i64;
typedef struct { i64 time, issue, what; i64 next; } event;

enum { BUCKETS = 1024, WIDTH = 15, PLACES = 1 << 16, WINDOW = 1 << 14 };
enum { START, DOWN, UP };

static event *places;
static i64 buckets[BUCKETS], unused, waiting;

static void put(i64 time, i64 issue, i64 what) {
  i64 place = unused, *at = &buckets[(time >> WIDTH) & (BUCKETS - 1)];
  unused = places[place].next;
  while (*at >= 0 && (places[*at].time < time ||
                      (places[*at].time == time && places[*at].issue < issue)))
    at = &places[*at].next;
  places[place] = (event){time, issue, what, *at};
  *at = place;
  waiting++;
}

static i64 packed(i64 op, i64 source, i64 target, i64 kind) {
  return op << 32 | source << 20 | target << 8 | kind;
}

/* Returns the number of events; took[op] is the latency of an operation in picoseconds. */
i64 run(i64 operations, i64 nodes, i64 links, const i64 *arrivals, const i64 *below,
        const i64 *children, const i64 *parent, const i64 *ways, const i64 *way,
        const i64 *latency, i64 send, i64 receive, i64 occupancy, i64 *took) {
  i64 *free_link = calloc(links, sizeof(i64)), *free_node = calloc(nodes, sizeof(i64));
  int32_t *answers = calloc((size_t)WINDOW * nodes, sizeof(int32_t));
  i64 issue = 0, events = 0, day;
  places = malloc(PLACES * sizeof(event));
  for (i64 i = 0; i < PLACES; i++) places[i].next = i + 1;
  for (i64 i = 0; i < BUCKETS; i++) buckets[i] = -1;
  unused = waiting = 0;
  put(arrivals[0], 0, START);
  day = arrivals[0] >> WIDTH;
  while (waiting) {
    i64 place = buckets[day & (BUCKETS - 1)];
    if (place < 0 || places[place].time >> WIDTH != day) {
      day++;
      continue;
    }
    event now = places[place];
    buckets[day & (BUCKETS - 1)] = now.next;
    places[place].next = unused;
    unused = place;
    waiting--;
    events++;
    i64 op = now.what >> 32, source = now.what >> 20 & 4095, node = now.what >> 8 & 4095;
    i64 hop = now.what >> 2 & 63, kind = now.what & 3;
    if (kind != START) {
      i64 first = ways[source * nodes + node];
      if (hop < ways[source * nodes + node + 1] - first) {
        i64 link = way[first + hop];
        i64 begin = now.time > free_link[link] ? now.time : free_link[link];
        free_link[link] = begin + occupancy;
        put(begin + latency[link], ++issue, now.what + 4);
        continue;
      }
    }
    i64 time = now.time > free_node[node] ? now.time : free_node[node];
    i64 first = below[node], count = below[node + 1] - first, answer = 0;
    if (kind == START) {
      if (op + 1 < operations) put(arrivals[op + 1], ++issue, (op + 1) << 32);
    } else {
      time += receive;
    }
    if (kind == UP) {
      int32_t *seen = &answers[(op & (WINDOW - 1)) * nodes + node];
      answer = ++*seen == count;
      if (answer) *seen = 0;
    } else {
      for (i64 i = 0; i < count; i++)
        put(time += send, ++issue, packed(op, node, children[first + i], DOWN));
      answer = count == 0;
    }
    if (answer && parent[node] < 0) took[op] = time - arrivals[op];
    if (answer && parent[node] >= 0)
      put(time += send, ++issue, packed(op, node, parent[node], UP));
    free_node[node] = time;
  }
  free(places);
  free(free_link);
  free(free_node);
  free(answers);
  return events;
}
