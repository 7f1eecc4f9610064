// Where on the data's way: before it; deploy/mnist against a server of this machine: the right files, wrong
// bytes, and nobody there.
#include <httplib.h>
#include <sys/wait.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/child_process.h"
#include "tests/testing/free_port.h"
#include "tests/testing/test_data.h"

namespace downpour {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kNames[] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                  "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

// The SHA-256 of "<name>\n" for each of the names, as sha256sum prints it.
constexpr char kSums[] =
    "5a5191e0c7812acee90b095c1520e602e7d9fd336b9ca2be907908000b959611  train-images-idx3-ubyte\n"
    "5868a8497d121ba1aee29c88b2b85753131433e69a2e487f710f77f4a079c2e0  train-labels-idx1-ubyte\n"
    "4c51ba5a3611f78119c38b27fa88a2e070a64b940c7bb29c2fe216e74a08bad2  t10k-images-idx3-ubyte\n"
    "b6fa084256fe70b38403f0bd0732ed4fe179889127d35a3d1bf25e4a4e1a0c22  t10k-labels-idx1-ubyte\n";

std::string Gzipped(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string bytes(deflateBound(&stream, text.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

// A copy of the script, whose list of checksums is that of four small files, and a mirror that has them.
class MnistDownload : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
    fs::copy_file(DOWNPOUR_SOURCE_DIR "/deploy/mnist", folder_ / "mnist");
    std::ofstream(folder_ / "mnist.sha256") << kSums;
    for (const std::string name : kNames) served_[absl::StrCat("/a/", name, ".gz")] = Gzipped(name + "\n");
    server_.Get("/a/.*", [this](const httplib::Request& request, httplib::Response& response) {
      const auto found = served_.find(request.path);
      if (found == served_.end()) {
        response.status = 404;
      } else {
        response.set_content(found->second, "application/gzip");
      }
    });
    port_ = server_.bind_to_any_port("127.0.0.1");
    serving_ = std::jthread([this] { server_.listen_after_bind(); });
    while (!server_.is_running()) std::this_thread::yield();
  }
  void TearDown() override { server_.stop(); }

  std::string Mirror(const std::string& path) const { return absl::StrCat("http://127.0.0.1:", port_, path); }
  std::string Dead() const { return absl::StrCat("http://127.0.0.1:", FreePort()); }
  int Fetch(const std::string& mirrors) {
    const int status =
        std::system(absl::StrCat("env -u http_proxy -u HTTP_PROXY -u all_proxy -u ALL_PROXY ",
                                 (folder_ / "mnist").string(), " ", (folder_ / "data").string(), " ", mirrors,
                                 " >", (folder_ / "log").string(), " 2>&1")
                        .c_str());
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }
  std::string Log() const { return FileText(folder_ / "log"); }
  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(folder_ / "data"))
      files[entry.path().filename()] = FileText(entry.path());
    return files;
  }

  const fs::path folder_ = fs::path(::testing::TempDir()) / "mnist_download";
  std::map<std::string, std::string> served_;
  httplib::Server server_;
  int port_ = 0;
  std::jthread serving_;
};

TEST_F(MnistDownload, TakesTheRightFilesOnceAndChecksWhatIsThere) {
  ASSERT_EQ(Fetch(Mirror("/a")), 0) << Log();
  ASSERT_EQ(Files().size(), 4);
  for (const std::string name : kNames) EXPECT_EQ(Files()[name], name + "\n");
  EXPECT_EQ(Fetch(Dead()), 0) << "it fetched again what is there: " << Log();

  std::ofstream(folder_ / "data" / kNames[1]) << "other";
  EXPECT_EQ(Fetch(Mirror("/a")), 1);
  EXPECT_THAT(Log(), AllOf(HasSubstr(kNames[1]), HasSubstr("move it away")));
  EXPECT_EQ(Files()[kNames[1]], "other");
}

TEST_F(MnistDownload, GoesToTheNextMirrorWhereOneHasWrongBytes) {
  for (const std::string& wrong : {Gzipped("other"), std::string("no gzip"), Gzipped("x").substr(0, 9)}) {
    fs::remove_all(folder_ / "data");
    served_[absl::StrCat("/a/b/", kNames[0], ".gz")] = wrong;
    ASSERT_EQ(Fetch(Mirror("/a/b")), 1);
    EXPECT_THAT(Log(), AllOf(HasSubstr(absl::StrCat(Mirror("/a/b/"), kNames[0], ".gz: ")),
                             HasSubstr("no mirror gave train-images-idx3-ubyte")));
    EXPECT_THAT(Files(), IsEmpty()) << "wrong bytes got a name";
    EXPECT_EQ(Fetch(Mirror("/a/b") + " " + Mirror("/a")), 0) << Log();
    EXPECT_EQ(Files().size(), 4);
  }
}

TEST_F(MnistDownload, SaysThatNobodyIsThere) {
  EXPECT_EQ(Fetch(Dead()), 1);
  EXPECT_THAT(Log(), AllOf(HasSubstr("not fetched"), HasSubstr("without a network put the four files into")));
  EXPECT_EQ(Fetch(Mirror("/nothing")), 1);
  EXPECT_THAT(Log(), HasSubstr("404"));
  EXPECT_THAT(Files(), IsEmpty());
}

// The script's own checksums are those of the files that everybody has.
TEST_F(MnistDownload, TheChecksumsAreThoseOfMnist) {
  const std::string data = FindTestData("mnist");
  if (data.empty()) GTEST_SKIP() << "no $DOWNPOUR_TEST_DATA/mnist";
  fs::copy_file(DOWNPOUR_SOURCE_DIR "/deploy/mnist.sha256", folder_ / "mnist.sha256",
                fs::copy_options::overwrite_existing);
  for (const std::string name : kNames)
    served_[absl::StrCat("/a/", name, ".gz")] = FileText(data + "/" + name + ".gz");
  EXPECT_EQ(Fetch(Mirror("/a")), 0) << Log();
}

}  // namespace
}  // namespace downpour
