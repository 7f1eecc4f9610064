// Where on the data's way: guards common/tls/identity.h: what is wrong with a certificate is said before the
// first connection, in one line.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/tls/identity.h"
#include "tests/testing/coordinator_cluster.h"
#include "tests/testing/test_authority.h"

namespace downpour {
namespace {

using ::testing::ElementsAre;

class Identity : public ::testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove_all(folder_); }

  TlsIdentity::Files Write(const TestAuthority::Wanted& wanted) const {
    return WriteIdentity(*authority_.Issue(wanted), folder_);
  }
  TlsIdentity::Files WriteWorker() const { return Write({{"downpour://role/worker"}}); }
  static absl::StatusOr<std::shared_ptr<const TlsIdentity>> Read(const TlsIdentity::Files& files) {
    return TlsIdentity::Read(files, MiddleOf(2030));
  }

  const std::string folder_ = absl::StrCat(::testing::TempDir(), "/identity_", getpid());
  const TestAuthority authority_;
};

TEST_F(Identity, HasTheRolesOfItsCertificate) {
  const auto one = Read(WriteWorker());
  ASSERT_TRUE(one.ok()) << one.status();
  EXPECT_THAT((*one)->roles, ElementsAre("worker"));
  EXPECT_EQ((*one)->expires, MiddleOf(2099));
  EXPECT_EQ((*one)->Shard(), std::nullopt);
  const auto shard = Read(Write({{"https://example.org/", "downpour://role/shard/7"}}));
  ASSERT_TRUE(shard.ok()) << shard.status();
  EXPECT_THAT((*shard)->roles, ElementsAre("shard/7"));
  EXPECT_EQ((*shard)->Shard(), 7);
  const auto shards = Read(Write({{"downpour://role/shard/0", "downpour://role/shard/1"}}));
  ASSERT_TRUE(shards.ok()) << shards.status();
  EXPECT_EQ((*shards)->Shard(), std::nullopt) << "either of them";
}

TEST_F(Identity, AFileThatIsMissingIsNamed) {
  for (std::string TlsIdentity::Files::*file :
       {&TlsIdentity::Files::ca, &TlsIdentity::Files::certificate, &TlsIdentity::Files::key}) {
    const TlsIdentity::Files files = WriteWorker();
    std::filesystem::remove(files.*file);
    EXPECT_THAT(Read(files), FailsWith(absl::StatusCode::kNotFound, files.*file));
  }
}

TEST_F(Identity, AKeyThatOthersMayReadIsRefused) {
  const TlsIdentity::Files files = WriteWorker();
  for (const mode_t mode : {0644, 0604, 0660, 0602}) {
    ASSERT_EQ(chmod(files.key.c_str(), mode), 0);
    EXPECT_THAT(Read(files),
                FailsWith(absl::StatusCode::kFailedPrecondition,
                          absl::StrCat("has mode 0", absl::StrFormat("%o", mode), ", want 0600")));
  }
  for (const mode_t mode : {0600, 0400, 0640}) {
    ASSERT_EQ(chmod(files.key.c_str(), mode), 0);
    EXPECT_TRUE(Read(files).ok()) << mode;
  }
}

TEST_F(Identity, WhatIsNoPemIsRefused) {
  for (std::string TlsIdentity::Files::*file :
       {&TlsIdentity::Files::ca, &TlsIdentity::Files::certificate, &TlsIdentity::Files::key}) {
    const TlsIdentity::Files files = WriteWorker();
    std::ofstream(files.*file) << "no PEM\n";
    EXPECT_THAT(Read(files), FailsWith(absl::StatusCode::kInvalidArgument, files.*file + ": has no "));
  }
  const TlsIdentity::Files files = WriteWorker();
  std::ofstream(files.certificate, std::ios::app)
      << "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
  EXPECT_THAT(Read(files), FailsWith(absl::StatusCode::kInvalidArgument, "damaged"));
}

TEST_F(Identity, AKeyOfAnotherCertificateIsRefused) {
  const TlsIdentity::Files files = WriteWorker();
  std::ofstream(files.key) << authority_.Issue({"worker"})->key;
  EXPECT_THAT(Read(files),
              FailsWith(absl::StatusCode::kInvalidArgument, "is the key of another certificate"));
}

TEST_F(Identity, ACertificateThatHasExpiredOrIsNotYetValidIsRefused) {
  EXPECT_THAT(Read(Write({{"downpour://role/worker"}, MiddleOf(2020), MiddleOf(2029)})),
              FailsWith(absl::StatusCode::kFailedPrecondition, "has expired at 2029-07-01T00:00:00+00:00"));
  EXPECT_THAT(Read(Write({{"downpour://role/worker"}, MiddleOf(2031), MiddleOf(2032)})),
              FailsWith(absl::StatusCode::kFailedPrecondition, "not yet valid"));
}

TEST_F(Identity, ACertificateOfAnotherAuthorityIsRefused) {
  const TlsIdentity::Files files = WriteWorker();
  std::ofstream(files.ca) << TestAuthority().Issue({"worker"})->ca;
  EXPECT_THAT(Read(files), FailsWith(absl::StatusCode::kFailedPrecondition,
                                     "is not a valid certificate of this authority"));
}

TEST_F(Identity, ACertificateWithoutARoleOrForAnotherPurposeIsRefused) {
  EXPECT_THAT(Read(Write({{"https://example.org/"}})),
              FailsWith(absl::StatusCode::kFailedPrecondition, "names no role"));
  EXPECT_THAT(Read(Write({})), FailsWith(absl::StatusCode::kFailedPrecondition, "names no role"));
  TestAuthority::Wanted wanted{{"downpour://role/shard/0"}};
  wanted.purposes = "clientAuth";
  EXPECT_THAT(Read(Write(wanted)), FailsWith(absl::StatusCode::kFailedPrecondition, "serverAuth"));
  wanted.purposes = "serverAuth";
  EXPECT_THAT(Read(Write(wanted)), FailsWith(absl::StatusCode::kFailedPrecondition, "clientAuth"));
  wanted.purposes = "";
  EXPECT_TRUE(Read(Write(wanted)).ok()) << "it is for anything";
}

TEST_F(Identity, OffLoopbackOnlyWithTlsOrInsecure) {
  const Security nothing, insecure{nullptr, true}, tls{authority_.Issue({"worker"})};
  for (const char* host : {"0.0.0.0", "::", "192.0.2.1", "example.org", "127.example.org",
                           "localhost.example.org", "::ffff:192.0.2.1"}) {
    const absl::Status status = CheckMayListen({host, 7100}, nothing);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << host << " " << status;
    EXPECT_TRUE(CheckMayListen({host, 7100}, insecure).ok()) << host;
    EXPECT_TRUE(CheckMayListen({host, 7100}, tls).ok()) << host;
  }
  for (const char* host : {"127.0.0.1", "127.8.9.10", "::1", "localhost"})
    EXPECT_TRUE(CheckMayListen({host, 7100}, nothing).ok()) << host;
}

}  // namespace
}  // namespace downpour
