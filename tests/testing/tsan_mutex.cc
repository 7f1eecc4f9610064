// Where on the data's way: for tests, in thread-sanitizer builds only: tells the sanitizer what Abseil's
// mutexes do.
//
// The distribution's Abseil is built without the sanitizer, which therefore does not see the order that an
// absl::Mutex makes, and would report every access that it guards. This file defines the members that
// Downpour calls, in place of the library's; they tell the sanitizer what they do and call the library's. The
// sanitizer ignores memory accesses between a "pre" and its "post", for example those of an awaited condition
// that another thread evaluates while it unlocks.
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

// The library's own definition of a member of absl::Mutex, whose mangled name ends in `member`.
template <typename Function>
Function* Library(const char* member) {
  const std::string space = DOWNPOUR_TEXT(ABSL_OPTION_INLINE_NAMESPACE_NAME);
  const std::string name = "_ZN4absl" + std::to_string(space.size()) + space + "5Mutex" + member;
  void* const found = dlsym(RTLD_NEXT, name.c_str());
  DOWNPOUR_CHECK(found != nullptr);
  return reinterpret_cast<Function*>(found);
}

}  // namespace

// oneDNN is not built with the sanitizer either, and its threads share a cache of primitives.
extern "C" const char* __tsan_default_suppressions() { return "race:dnnl::\nrace:libdnnl.so\n"; }

namespace absl {
ABSL_NAMESPACE_BEGIN

void Mutex::Lock() {
  static auto* const real = Library<void(Mutex*)>("4LockEv");
  __tsan_mutex_pre_lock(this, 0);
  real(this);
  __tsan_mutex_post_lock(this, 0, 0);
}

void Mutex::Unlock() {
  static auto* const real = Library<void(Mutex*)>("6UnlockEv");
  __tsan_mutex_pre_unlock(this, 0);
  real(this);
  __tsan_mutex_post_unlock(this, 0);
}

void Mutex::ReaderLock() {
  static auto* const real = Library<void(Mutex*)>("10ReaderLockEv");
  __tsan_mutex_pre_lock(this, __tsan_mutex_read_lock);
  real(this);
  __tsan_mutex_post_lock(this, __tsan_mutex_read_lock, 0);
}

void Mutex::ReaderUnlock() {
  static auto* const real = Library<void(Mutex*)>("12ReaderUnlockEv");
  __tsan_mutex_pre_unlock(this, __tsan_mutex_read_lock);
  real(this);
  __tsan_mutex_post_unlock(this, __tsan_mutex_read_lock);
}

void Mutex::Await(const Condition& condition) {
  static auto* const real = Library<void(Mutex*, const Condition&)>("5AwaitERKNS0_9ConditionE");
  __tsan_mutex_pre_unlock(this, 0);
  __tsan_mutex_post_unlock(this, 0);
  __tsan_mutex_pre_lock(this, 0);
  real(this, condition);
  __tsan_mutex_post_lock(this, 0, 0);
}

ABSL_NAMESPACE_END
}  // namespace absl

#endif
