// Where on the data's way: guards all programs of a cluster with TLS, with the certificates of
// deploy/certificates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <httplib.h>
#include <sys/stat.h>

#include <csignal>
#include <fstream>
#include <memory>
#include <string>

#include "common/program/host_port.h"
#include "common/program/run_program.h"
#include "tests/testing/processes.h"

namespace downpour {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class TlsProcesses : public Processes {
 protected:
  void SetUp() override {
    Processes::SetUp();
    certificates_ = MakeCertificates("certificates");
  }

  std::string MakeCertificates(const std::string& name) const {
    std::string folder = absl::StrCat(folder_, "/", name);
    ChildProcess script({DOWNPOUR_SOURCE_DIR "/deploy/certificates", folder, "--shards=2"},
                        absl::StrCat(folder_, "/", name, ".out"));
    EXPECT_EQ(script.Wait(), 0) << script.Output();
    return folder;
  }
  // One line, which says why, and no other.
  void ExpectRefused(ChildProcess* program, const std::string& why) const {
    EXPECT_EQ(program->Wait(), kExitUsage) << program->Output();
    const std::string output = program->Output();
    EXPECT_THAT(output, HasSubstr(why));
    EXPECT_EQ(std::count(output.begin(), output.end(), '\n'), 1) << output;
  }
  std::vector<std::string> WithFiles(const std::string& ca, const std::string& certificate) const {
    return {"--coordinator=" + address_, "--tls_ca=" + ca + "/ca.pem",
            "--tls_certificate=" + certificate + "/certificate.pem", "--tls_key=" + certificate + "/key.pem"};
  }
};

TEST_F(TlsProcesses, TrainToTheEnd) {
  updates_ = kEnoughToLearn;
  StartAll();
  ChildProcess health({ProgramPath("downpour-health"), address_}, folder_ + "/plain.out");
  EXPECT_NE(health.Wait(), 0) << "without a certificate";
  const auto observer = Start("downpour-health", {address_});
  EXPECT_EQ(observer->Wait(), 0) << observer->Output();
  ExpectFinishedWell();
}

TEST_F(TlsProcesses, DeployLocalTrainsWithCertificatesOfItsOwn) {
  updates_ = kEnoughToLearn;
  std::ofstream(folder_ + "/run.textproto") << "name: \"tls\"\n";
  std::vector<std::string> command = {"/usr/bin/env",
                                      absl::StrCat("DOWNPOUR_BIN=", DOWNPOUR_PROGRAM_DIR),
                                      absl::StrCat(DOWNPOUR_SOURCE_DIR, "/deploy/local"),
                                      folder_ + "/run.textproto",
                                      "--run_dir=" + run_dir_,
                                      "--tls"};
  for (const std::string& setting : Settings()) command.push_back(setting);
  ChildProcess local(command, folder_ + "/local.out");
  const std::string address_file = run_dir_ + "/coordinator_address";
  ASSERT_TRUE(WaitFor([&] { return !FileText(address_file).empty(); })) << local.Output();
  const std::string address(absl::StripAsciiWhitespace(FileText(address_file)));
  ChildProcess plain({ProgramPath("downpour-health"), address}, folder_ + "/plain.out");
  EXPECT_NE(plain.Wait(), 0) << "it has no TLS";
  certificates_ = run_dir_ + "/tls";
  const auto observer = Start("downpour-health", {address});
  EXPECT_EQ(observer->Wait(), 0) << observer->Output();
  EXPECT_EQ(local.Wait(), 0) << local.Output();
}

TEST_F(TlsProcesses, TheRunGoesOnWhenTheCoordinatorComesBackAndItsCheckpointIsNobodyElses) {
  StartAll();
  WaitForUpdates(100);
  coordinator_->KillAndWait();
  for (const char* name : {"coordinator.ckpt", "coordinator.ckpt.previous"}) {
    struct stat info {};
    ASSERT_EQ(stat(absl::StrCat(run_dir_, "/checkpoints/", name).c_str(), &info), 0) << name;
    EXPECT_EQ(info.st_mode & 0777, 0600U) << name;
  }
  StartCoordinator();
  WaitForUpdates(Status().updates() + 200);
}

TEST_F(TlsProcesses, AProgramSaysInOneLineWhatIsWrongWithItsCertificate) {
  const std::string worker = certificates_ + "/worker", foreign = MakeCertificates("foreign") + "/worker";
  certificates_.clear();  // each program is given its flags here
  address_ = "127.0.0.1:1";
  const auto refused = [&](const std::vector<std::string>& flags, const std::string& why) {
    std::filesystem::remove(folder_ + "/downpour-worker.out");
    ExpectRefused(Start("downpour-worker", flags).get(), why);
  };
  refused(WithFiles(foreign, worker), "certificate.pem: is not a valid certificate of this authority");
  refused(WithFiles(worker, folder_ + "/nowhere"), "nowhere/certificate.pem");
  refused({"--tls_ca=" + worker + "/ca.pem"}, "--tls_certificate is not set, want all of");
  std::vector<std::string> both = WithFiles(worker, worker);
  both.push_back("--insecure");
  refused(both, "--insecure and --tls_certificate are both set");
  refused(WithFiles(folder_ + "/certificates/evaluator", folder_ + "/certificates/evaluator"),
          "has the role 'evaluator', want 'worker'");
  ASSERT_EQ(chmod((worker + "/key.pem").c_str(), 0644), 0);
  refused(WithFiles(worker, worker), "key.pem: has mode 0644, want 0600");
}

TEST_F(TlsProcesses, OffLoopbackNothingListensWithoutTls) {
  certificates_.clear();
  address_ = "127.0.0.1:1";
  std::vector<std::string> coordinator = Settings();
  coordinator.insert(coordinator.end(), {"--run_dir=" + run_dir_, "--listen=0.0.0.0:0"});
  ExpectRefused(Start("downpour-coordinator", coordinator).get(), "will not listen at 0.0.0.0:0");
  EXPECT_FALSE(std::filesystem::exists(run_dir_ + "/checkpoints")) << "no run has begun";
  ExpectRefused(Start("downpour-server", {"--coordinator=" + address_, "--state_dir=" + folder_ + "/state",
                                          "--listen=0.0.0.0:0", "--advertise=127.0.0.1:9"})
                    .get(),
                "will not listen at 0.0.0.0:0");
  ExpectRefused(Start("downpour-worker", {"--coordinator=" + address_, "--metrics=0.0.0.0:0"}).get(),
                "will not listen at 0.0.0.0:0");
  ExpectRefused(Start("downpour-dashboard", {"--runs=" + folder_, "--listen=0.0.0.0:0"}).get(),
                "will not listen at 0.0.0.0:0");
}

// Through a port of every address, to which nobody but this test connects.
TEST_F(TlsProcesses, OffLoopbackThePageAndTheMetricsAreForObservers) {
  const std::string port_file = folder_ + "/dashboard_port";
  const auto dashboard =
      Start("downpour-dashboard", {"--runs=" + folder_, "--listen=0.0.0.0:0", "--port_file=" + port_file});
  ASSERT_TRUE(WaitFor([&] { return !FileText(port_file).empty(); })) << dashboard->Output();
  const auto where = ParseHostPort(std::string(absl::StripAsciiWhitespace(FileText(port_file))));
  ASSERT_TRUE(where.ok()) << where.status();
  EXPECT_THAT(dashboard->Output(), HasSubstr("https://0.0.0.0:"));
  const auto get = [&](const std::string& role) {
    const std::string folder = absl::StrCat(certificates_, "/", role);
    httplib::SSLClient client("127.0.0.1", where->port, role.empty() ? "" : folder + "/certificate.pem",
                              role.empty() ? "" : folder + "/key.pem");
    client.set_ca_cert_path(certificates_ + "/observer/ca.pem");
    client.enable_server_certificate_verification(false);  // it names no host
    const httplib::Result result = client.Get("/");
    return result ? result->status : -1;
  };
  std::signal(SIGPIPE, SIG_IGN);  // the client writes on after it was refused
  EXPECT_EQ(get("observer"), 200);
  EXPECT_EQ(get("worker"), 403);
  EXPECT_EQ(get(""), -1);
  EXPECT_FALSE(httplib::Client("127.0.0.1", where->port).Get("/")) << "without TLS";
}

}  // namespace
}  // namespace downpour
