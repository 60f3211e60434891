// What this machine can do, measured in the same run as the work: the ceilings of the rows.
//
//   cc -O3 -march=native -ffp-contract=fast -pthread limits.c -o limits
//   limits KIND THREADS        KIND: fma-f32, dot-bf16, dot-int8, read, r2w1, r3w2, r4w3, r5w4
//
// Speaks the protocol of README.md: a ready line, then one row for every line on stdin. fma-f32 keeps independent chains in
// registers, enough of them to cover latency 4 or 5 at two a cycle; dot-int8 does so with the products of bytes of the instruction set
// (VNNI) or else the products of 16 bits that bytes become; read streams 256 MiB; r4w3 is the traffic of an AdamW step
// (four reads, three writes in place, 28 bytes an element) on four arrays of 128 MiB, its siblings that of rules with fewer or more
// states. Vectors are as wide as -march=native allows.

#define _GNU_SOURCE
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

#if defined(__AVX512F__)
enum { kWidth = 64, kChains = 24 };
static const char* kIsa = "avx512";
#elif defined(__AVX2__)
enum { kWidth = 32, kChains = 12 };
static const char* kIsa = "avx2";
#elif defined(__aarch64__)
enum { kWidth = 16, kChains = 24 };
static const char* kIsa = "neon";
#else
enum { kWidth = 16, kChains = 8 };
static const char* kIsa = "scalar";
#endif
typedef float Vec __attribute__((vector_size(kWidth)));
enum { kLanes = kWidth / 4, kTurns = 200000, kMaxRounds = 16384 };

static size_t elements;  // a array; a multiple of 16 · kLanes · threads
static float* arrays[5];
static volatile float sink;
static int threads;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + 1e-9 * t.tv_nsec;
}

static void fma_f32(int thread) {
  Vec sum[kChains], x, y;
  for (int lane = 0; lane < kLanes; lane++) x[lane] = 0.999f, y[lane] = 1e-3f;
  for (int chain = 0; chain < kChains; chain++) sum[chain] = y * (float)(chain + thread);
  for (long turn = 0; turn < kTurns; turn++) {
#pragma GCC unroll 24
    for (int chain = 0; chain < kChains; chain++) sum[chain] = sum[chain] * x + y;
  }
  for (int chain = 0; chain < kChains; chain++) sink += sum[chain][0];
}

#if defined(__AVX512BF16__)
static void dot_bf16(int thread) {
  __m512 sum[kChains];
  const __m512bh x = (__m512bh)_mm512_setzero_si512();
  for (int chain = 0; chain < kChains; chain++) sum[chain] = _mm512_set1_ps((float)thread);
  for (long turn = 0; turn < kTurns; turn++) {
#pragma GCC unroll 24
    for (int chain = 0; chain < kChains; chain++) {
      sum[chain] = _mm512_dpbf16_ps(sum[chain], x, x);
      __asm__ volatile("" : "+v"(sum[chain]));
    }
  }
  for (int chain = 0; chain < kChains; chain++) sink += sum[chain][0];
}
#endif

#if defined(__AVX512VNNI__)
typedef __m512i Integers;
enum { kProducts = 64 };
static inline Integers all(int value) { return _mm512_set1_epi32(value); }
static inline Integers dot(Integers sum, Integers x) { return _mm512_dpbusd_epi32(sum, x, x); }
#elif defined(__AVX2__)
typedef __m256i Integers;
enum { kProducts = 16 };
static inline Integers all(int value) { return _mm256_set1_epi32(value); }
static inline Integers dot(Integers sum, Integers x) { return _mm256_madd_epi16(sum, x); }  // without the sums, which on Zen 3 take its ports
#endif

#if defined(__AVX2__)
static void dot_int8(int thread) {
  Integers sum[kChains], x = all(0x01010101);
  for (int chain = 0; chain < kChains; chain++) sum[chain] = all(thread);
  for (long turn = 0; turn < kTurns; turn++) {
#pragma GCC unroll 24
    for (int chain = 0; chain < kChains; chain++) {
      __asm__ volatile("" : "+v"(x));  // or a product would be taken once for all
      Integers next = dot(sum[chain], x);
      __asm__ volatile("" : "+v"(next));
      sum[chain] = next;
    }
  }
  for (int chain = 0; chain < kChains; chain++) sink += (float)sum[chain][0];
}
#endif

static void stream_read(int thread) {
  const Vec* p = (const Vec*)(arrays[0] + elements / threads * thread);
  Vec sum[8] = {{0}};
  for (size_t i = 0, n = elements / threads / kLanes; i + 8 <= n; i += 8) {
#pragma GCC unroll 8
    for (int chain = 0; chain < 8; chain++) sum[chain] += p[i + chain];
  }
  for (int chain = 0; chain < 8; chain++) sink += sum[chain][0];
}

static void stream_r4w3(int thread) {
  const size_t begin = elements / threads * thread, n = elements / threads / kLanes;
  Vec *p = (Vec*)(arrays[0] + begin), *m = (Vec*)(arrays[1] + begin), *v = (Vec*)(arrays[2] + begin);
  const Vec* g = (const Vec*)(arrays[3] + begin);
  for (size_t i = 0; i < n; i++) {
    const Vec mi = m[i] * 0.9f + g[i] * 0.1f, vi = v[i] * 0.999f + g[i] * g[i] * 0.001f;
    m[i] = mi, v[i] = vi;
    p[i] = p[i] * 0.99999f - mi * (1.0f - vi) * 1e-3f;  // not AdamW's root and quotient: the traffic is what counts
  }
}

// What rules with other numbers of states read and write: a gradient, and a parameter and its states in place.
#define STREAM(states)                                                                              \
  static void stream_##states##_states(int thread) {                                                \
    const size_t begin = elements / threads * thread, n = elements / threads / kLanes;              \
    const Vec* g = (const Vec*)(arrays[0] + begin);                                                 \
    for (size_t i = 0; i < n; i++) {                                                                \
      const Vec x = g[i];                                                                           \
      for (int k = 1; k <= states + 1; k++) ((Vec*)(arrays[k] + begin))[i] += x;                    \
    }                                                                                               \
  }
STREAM(0)
STREAM(1)
STREAM(3)

typedef struct {
  const char *name, *unit;
  void (*run)(int thread);
  double work;    // operations of one call on one thread, or bytes an element
  int mebibytes;  // of each array; 0 for the arithmetic kinds
  int array_count;
} Kind;

static Kind kinds[] = {
    {"fma-f32", "GFLOP/s", fma_f32, 2.0 * kLanes * kChains * kTurns, 0, 0},
#if defined(__AVX512BF16__)
    {"dot-bf16", "GFLOP/s", dot_bf16, 64.0 * kChains * kTurns, 0, 0},
#endif
#if defined(__AVX2__)
    {"dot-int8", "GOP/s", dot_int8, 2.0 * kProducts * kChains * kTurns, 0, 0},
#endif
    {"read", "GB/s", stream_read, 4, 256, 1},
    {"r2w1", "GB/s", stream_0_states, 12, 128, 2},
    {"r3w2", "GB/s", stream_1_states, 20, 128, 3},
    {"r4w3", "GB/s", stream_r4w3, 28, 128, 4},
    {"r5w4", "GB/s", stream_3_states, 36, 128, 5},
};

static Kind* kind;
static pthread_barrier_t start, finish;

static void* worker(void* argument) {
  const int thread = (int)(size_t)argument;
  for (;;) {
    pthread_barrier_wait(&start);
    kind->run(thread);
    pthread_barrier_wait(&finish);
  }
  return NULL;
}

static double round_seconds(void) {
  const double begin = seconds();
  pthread_barrier_wait(&start);
  kind->run(0);
  pthread_barrier_wait(&finish);
  return seconds() - begin;
}

static int ascending(const void* a, const void* b) {
  const double x = *(const double*)a, y = *(const double*)b;
  return (x > y) - (x < y);
}

static void allocate(void) {
  elements = ((size_t)kind->mebibytes << 18) / (16 * kLanes * threads) * (16 * kLanes * threads);
  for (int i = 0; i < kind->array_count; i++) {
    arrays[i] = aligned_alloc(2 << 20, (size_t)kind->mebibytes << 20);
    if (!arrays[i]) exit(1);
    madvise(arrays[i], (size_t)kind->mebibytes << 20, MADV_HUGEPAGE);
    for (size_t k = 0; k < elements; k++) arrays[i][k] = 0.5f;
  }
}

int main(int count, char** words) {
  threads = count > 2 ? atoi(words[2]) : 1;
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
    if (count > 1 && !strcmp(words[1], kinds[i].name)) kind = &kinds[i];
  if (!kind || threads < 1) {
    fprintf(stderr, "limits: usage: limits KIND THREADS; this machine has");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) fprintf(stderr, " %s", kinds[i].name);
    fprintf(stderr, "\n");
    return 2;
  }
  allocate();
  const double work = kind->array_count ? kind->work * (double)elements : kind->work * threads;
  pthread_barrier_init(&start, NULL, threads);
  pthread_barrier_init(&finish, NULL, threads);
  for (int thread = 1; thread < threads; thread++) {
    pthread_t id;
    if (pthread_create(&id, NULL, worker, (void*)(size_t)thread)) return 1;
  }
  round_seconds();
  char head[256], line[64];
  snprintf(head, sizeof head,
           "\"suite\":\"limits\",\"case\":\"%s\",\"system\":\"machine\",\"threads\":%d,\"isa\":\"%s\",\"unit\":\"%s\"",
           kind->name, threads, kIsa, kind->unit);
  printf("{\"ready\":true,%s}\n", head);
  fflush(stdout);
  while (fgets(line, sizeof line, stdin)) {
    const double window = atof(line) > 0 ? atof(line) : 1, begin = seconds();
    static double times[kMaxRounds];
    int n = 0;
    while (n < kMaxRounds && (n < 3 || seconds() - begin < window)) times[n++] = round_seconds();
    qsort(times, n, sizeof *times, ascending);
    printf("{%s,\"median\":%.2f,\"p10\":%.2f,\"p90\":%.2f,\"samples\":%d}\n", head, work / times[n / 2] / 1e9,
           work / times[(int)(0.9 * n)] / 1e9, work / times[(int)(0.1 * n)] / 1e9, n);
    fflush(stdout);
  }
  return 0;
}
