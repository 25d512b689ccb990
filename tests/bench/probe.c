/* The round trip of a cache line between two PUs, for comparison with skb.probe: the same protocol
 * (kernels.py: ping, pong), the same distances between lines, the same clock, in C11.
 *
 *   gcc -O2 -pthread -o probe probe.c && ./probe FIRST SECOND BATCHES
 *
 * Prints one batch a line: nanoseconds of a round trip, mean over 100. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

enum { STRIDE = 544, LINES = 16, BATCH = 100, SPINS = 4096 };

typedef _Atomic int64_t word;

struct side {
    word *words;
    int64_t *spent;
    int64_t deadline;
    int batches, cpu, done;
};

static pthread_barrier_t gate;

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static bool wait_for(word *at, int64_t value, int64_t deadline) {
    int spins = 0;
    while (atomic_load_explicit(at, memory_order_acquire) != value)
        if (++spins >= SPINS) {
            spins = 0;
            if (now_ns() >= deadline)
                return false;
        }
    return true;
}

static void pin(int cpu) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set)) {
        perror("sched_setaffinity");
        exit(1);
    }
}

static void warm_up(void) {
    int64_t end = now_ns() + 50000000;
    while (now_ns() < end)
        ;
}

static void *ping(void *given) {
    struct side *own = given;
    int64_t sequence = 0;
    pin(own->cpu);
    warm_up();
    for (int i = 0; i < STRIDE * 2 * LINES; i++)
        atomic_store_explicit(&own->words[i], 0, memory_order_relaxed);
    pthread_barrier_wait(&gate);
    for (int b = 0; b < own->batches; b++) {
        word *at = own->words + (b % LINES) * 2 * STRIDE;
        int64_t begin = now_ns();
        for (int i = 0; i < BATCH; i++) {
            sequence++;
            atomic_store_explicit(at, sequence, memory_order_release);
            if (!wait_for(at + STRIDE, sequence, own->deadline))
                return NULL;
        }
        own->spent[b] = now_ns() - begin;
        own->done = b + 1;
    }
    return NULL;
}

static void *pong(void *given) {
    struct side *own = given;
    int64_t sequence = 0;
    pin(own->cpu);
    warm_up();
    pthread_barrier_wait(&gate);
    for (int b = 0; b < own->batches; b++) {
        word *at = own->words + (b % LINES) * 2 * STRIDE;
        for (int i = 0; i < BATCH; i++) {
            sequence++;
            if (!wait_for(at, sequence, own->deadline))
                return NULL;
            atomic_store_explicit(at + STRIDE, sequence, memory_order_release);
        }
    }
    return NULL;
}

int main(int count, char **given) {
    if (count != 4) {
        fprintf(stderr, "usage: probe FIRST SECOND BATCHES\n");
        return 2;
    }
    int batches = atoi(given[3]);
    word *words = mmap(NULL, sizeof(word) * STRIDE * 2 * LINES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int64_t *spent = calloc(batches, sizeof *spent);
    if (words == MAP_FAILED || !spent)
        return 1;
    int64_t deadline = now_ns() + 10 * (int64_t)1000000000;
    struct side first = {words, spent, deadline, batches, atoi(given[1]), 0};
    struct side second = {words, NULL, deadline, batches, atoi(given[2]), 0};
    pthread_t a, b;
    pthread_barrier_init(&gate, NULL, 2);
    pthread_create(&a, NULL, ping, &first);
    pthread_create(&b, NULL, pong, &second);
    pthread_join(a, NULL);
    pthread_join(b, NULL);
    for (int i = first.done < 2 * LINES ? first.done / 2 : LINES; i < first.done; i++)
        printf("%.4f\n", spent[i] / (double)BATCH);
    return 0;
}
