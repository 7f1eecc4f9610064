// Where on the data's way: for tests of the programs: preloaded into a program, it sets the time of day that
// the program sees forward or back, and leaves the monotonic clock alone.
//
// The first eight bytes of the file $DOWNPOUR_WALL_CLOCK_OFFSET are the offset in nanoseconds, which the test
// may change at any time. As the kernel does when the system's time is set, it also moves the end of waits
// for a time of day that are under way.
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdint>
#include <cstdlib>
#include <ctime>

namespace {

constexpr int64_t kSecond = 1'000'000'000;
constexpr int64_t kSlice = kSecond / 50;  // a wait is cut into slices, after each of which it looks again

int64_t OffsetNs() {
  static const std::atomic<int64_t>* const offset = [] {
    const char* const path = getenv("DOWNPOUR_WALL_CLOCK_OFFSET");
    const int file = path == nullptr ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    void* const mapped = mmap(nullptr, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (mapped == MAP_FAILED) abort();
    return static_cast<const std::atomic<int64_t>*>(mapped);
  }();
  return *offset;
}

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

int64_t ToNs(const timespec& time) { return time.tv_sec * kSecond + time.tv_nsec; }
timespec ToTimespec(int64_t ns) { return {.tv_sec = ns / kSecond, .tv_nsec = ns % kSecond}; }

}  // namespace

extern "C" {

int clock_gettime(clockid_t clock, timespec* time) noexcept {
  static auto* const next = Next<int(clockid_t, timespec*)>("clock_gettime");
  const int result = next(clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    *time = ToTimespec(ToNs(*time) + OffsetNs());
  return result;
}

int gettimeofday(timeval* time, void* /*zone*/) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  *time = {.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
  return 0;
}

time_t time(time_t* result) noexcept {
  timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (result != nullptr) *result = now.tv_sec;
  return now.tv_sec;
}

// Abseil, and so gRPC, waits by this call.
long syscall(long number, ...) noexcept {
  static auto* const next = Next<long(long, ...)>("syscall");
  va_list list;
  va_start(list, number);
  long a[6];
  for (long& argument : a) argument = va_arg(list, long);
  va_end(list);
  const bool waits = number == SYS_futex && (a[1] & FUTEX_CLOCK_REALTIME) != 0 && a[3] != 0 &&
                     (a[1] & FUTEX_CMD_MASK) == FUTEX_WAIT_BITSET;
  if (!waits) return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
  const int64_t end = ToNs(*reinterpret_cast<const timespec*>(a[3]));
  for (;;) {
    timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    const int64_t left = end - ToNs(now);
    const timespec slice_end = ToTimespec(ToNs(now) - OffsetNs() + std::clamp<int64_t>(left, 0, kSlice));
    const long result = next(number, a[0], a[1], a[2], &slice_end, a[4], a[5]);
    if (result == 0 || errno != ETIMEDOUT || left <= kSlice) return result;
  }
}

}  // extern "C"
