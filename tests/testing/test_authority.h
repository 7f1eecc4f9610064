// Where on the data's way: for tests of connections; an authority that makes any certificate, also bad ones.
#ifndef DOWNPOUR_TESTS_TESTING_TEST_AUTHORITY_H_
#define DOWNPOUR_TESTS_TESTING_TEST_AUTHORITY_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/time/civil_time.h"
#include "common/rpc/credentials.h"
#include "common/tls/identity.h"
#include "common/tls/x509.h"

namespace downpour {

// The middle of the year, by UTC.
inline absl::Time MiddleOf(int year) {
  return absl::FromCivil(absl::CivilDay(year, 7, 1), absl::UTCTimeZone());
}

// Each object is another authority; all have the same name. Keys are made when the test runs.
class TestAuthority {
 public:
  struct Wanted {
    std::vector<std::string> uris;
    absl::Time from = MiddleOf(2020);
    absl::Time to = MiddleOf(2099);
    std::string purposes = "serverAuth,clientAuth";
  };

  TestAuthority();

  // Not checked, as TlsIdentity::Read() would.
  std::shared_ptr<TlsIdentity> Issue(const Wanted& wanted) const;
  // With these roles, as "worker", and all else as it should be.
  std::shared_ptr<TlsIdentity> Issue(const std::vector<std::string>& roles) const;
  std::shared_ptr<Credentials> For(const std::vector<std::string>& roles) const {
    return std::make_shared<Credentials>(Security{Issue(roles)});
  }

 private:
  PrivateKeyPointer key_;
  X509Pointer certificate_;
};

// Writes the three files into `folder`, which it makes, the key with mode 0600.
TlsIdentity::Files WriteIdentity(const TlsIdentity& identity, const std::string& folder);

}  // namespace downpour

#endif  // DOWNPOUR_TESTS_TESTING_TEST_AUTHORITY_H_
