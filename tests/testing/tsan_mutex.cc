// Where on the data's way: for tests, in thread-sanitizer builds only: tells the sanitizer what Abseil's
// mutexes do.
//
// The distribution's Abseil is built without the sanitizer, which therefore does not see the order that an
// absl::Mutex makes, and would report every access that it guards. This file defines the members that
// Downpour and gRPC call, in place of the library's; they tell the sanitizer what they do and call the
// library's. The sanitizer ignores memory accesses between a "pre" and its "post", for example those of an
// awaited condition that another thread evaluates while it unlocks.
#if defined(__has_feature)
#define DOWNPOUR_HAS_FEATURE(feature) __has_feature(feature)
#else
#define DOWNPOUR_HAS_FEATURE(feature) 0
#endif
#if defined(__SANITIZE_THREAD__) || DOWNPOUR_HAS_FEATURE(thread_sanitizer)

#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <string>

#include "absl/base/config.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "common/check.h"

#define DOWNPOUR_TEXT_INNER(x) #x
#define DOWNPOUR_TEXT(x) DOWNPOUR_TEXT_INNER(x)

namespace {

// The library's own definition of a member of absl::Mutex or absl::CondVar, whose mangled name ends in `member`.
template <typename Function>
Function* Library(const char* member) {
  const std::string space = DOWNPOUR_TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  const std::string name = "_ZN4absl" + std::to_string(space.size()) + space + member;
  void* const found = dlsym(RTLD_NEXT, name.c_str());
  DOWNPOUR_CHECK(found != nullptr);
  return reinterpret_cast<Function*>(found);
}

}  // namespace

// What is built without the sanitizer and orders its accesses by atomic operations, which the sanitizer does
// not see. A race is hidden where a function of one of these stands in either stack:
//   oneDNN, whose threads share a cache of primitives;
//   gRPC and what it is made of. So the reactors' callbacks are hidden as far as gRPC calls them; what they leave
//   to the shard's executor, the loops of replicas and servers, and the tests' own threads are not.
extern "C" const char* __tsan_default_suppressions() {
  return "race:dnnl::\nrace:libdnnl.so\n"
         "race:libgrpc.so\nrace:libgrpc++.so\nrace:grpc::\nrace:libupb.so\nrace:libprotobuf.so\n"
         "race:libabsl_status.so\ndeadlock:libgrpc.so\nmutex:libgrpc.so\n";
}

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* const real = Library<void(Mutex*)>("5Mutex4LockEv");
  __tsan_mutex_pre_lock(this, 0);
  real(this);
  __tsan_mutex_post_lock(this, 0, 0);
}

void Mutex::Unlock() {
  static auto* const real = Library<void(Mutex*)>("5Mutex6UnlockEv");
  __tsan_mutex_pre_unlock(this, 0);
  real(this);
  __tsan_mutex_post_unlock(this, 0);
}

void Mutex::ReaderLock() {
  static auto* const real = Library<void(Mutex*)>("5Mutex10ReaderLockEv");
  __tsan_mutex_pre_lock(this, __tsan_mutex_read_lock);
  real(this);
  __tsan_mutex_post_lock(this, __tsan_mutex_read_lock, 0);
}

void Mutex::ReaderUnlock() {
  static auto* const real = Library<void(Mutex*)>("5Mutex12ReaderUnlockEv");
  __tsan_mutex_pre_unlock(this, __tsan_mutex_read_lock);
  real(this);
  __tsan_mutex_post_unlock(this, __tsan_mutex_read_lock);
}

void Mutex::Await(const Condition& condition) {
  static auto* const real = Library<void(Mutex*, const Condition&)>("5Mutex5AwaitERKNS0_9ConditionE");
  __tsan_mutex_pre_unlock(this, 0);
  __tsan_mutex_post_unlock(this, 0);
  __tsan_mutex_pre_lock(this, 0);
  real(this, condition);
  __tsan_mutex_post_lock(this, 0, 0);
}

bool Mutex::TryLock() {
  static auto* const real = Library<bool(Mutex*)>("5Mutex7TryLockEv");
  __tsan_mutex_pre_lock(this, __tsan_mutex_try_lock);
  const bool locked = real(this);
  __tsan_mutex_post_lock(this, __tsan_mutex_try_lock | (locked ? 0 : __tsan_mutex_try_lock_failed), 0);
  return locked;
}

void CondVar::Wait(Mutex* mutex) {
  static auto* const real = Library<void(CondVar*, Mutex*)>("7CondVar4WaitEPNS0_5MutexE");
  __tsan_mutex_pre_unlock(mutex, 0);
  __tsan_mutex_post_unlock(mutex, 0);
  __tsan_mutex_pre_lock(mutex, 0);
  real(this, mutex);
  __tsan_mutex_post_lock(mutex, 0, 0);
}

ABSL_NAMESPACE_END
}  // namespace absl

#endif
