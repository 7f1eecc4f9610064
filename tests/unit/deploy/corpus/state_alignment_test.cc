// Where on the data's way: guards deploy/corpus/: another version of pocketsphinx is refused.
#include "deploy/corpus/state_alignment.h"

#include <filesystem>
#include <fstream>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

// Declared as in pocketsphinx.h, whose folder is not on the tests' include path.
extern "C" {
struct cmd_ln_s;
struct arg_s;
cmd_ln_s* cmd_ln_init(cmd_ln_s*, const arg_s*, int strict, ...);
int cmd_ln_free_r(cmd_ln_s*);
const arg_s* ps_args();
ps_decoder_s* ps_init(cmd_ln_s*);
int ps_free(ps_decoder_s*);
}

namespace downpour {
namespace {

using ::testing::HasSubstr;

constexpr char kModel[] = "/usr/share/pocketsphinx/model/en-us/en-us";
constexpr char kDictionary[] = "/usr/share/pocketsphinx/model/en-us/cmudict-en-us.dict";

class StateAlignmentTest : public ::testing::Test {
 protected:
  void SetUp() override {
    cmd_ln_s* config = cmd_ln_init(nullptr, ps_args(), 0, "-hmm", kModel, "-dict", kDictionary, "-logfn",
                                   "/dev/null", nullptr);
    decoder_ = ps_init(config);
    cmd_ln_free_r(config);
    ASSERT_NE(decoder_, nullptr);
  }
  void TearDown() override { ps_free(decoder_); }

  ps_decoder_s* decoder_ = nullptr;
};

TEST_F(StateAlignmentTest, TakesTheVersionItWasWrittenFor) {
  const auto alignment = StateAlignment::Create(decoder_, kModel);
  ASSERT_TRUE(alignment.ok()) << alignment.status();
  EXPECT_EQ((*alignment)->num_senones(), 5126);
}

TEST_F(StateAlignmentTest, NamesTheVersionFoundAndTheOneWantedWhereStructuresDiffer) {
  // A model definition of five states per phone stands for a structure whose fields are at other places.
  const std::string folder = ::testing::TempDir() + "/five_states";
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/mdef")
      << "0.3\n1 n_base\n0 n_tri\n6 n_state_map\n5 n_tied_state\n5 n_tied_ci_state\n"
         "1 n_tied_tmat\n#\n#base lft  rt p attrib tmat ... state id's ...\n"
         "SIL - - - filler 0 0 1 2 3 4 N\n";
  const auto alignment = StateAlignment::Create(decoder_, folder);
  EXPECT_EQ(alignment.status().code(), absl::StatusCode::kUnimplemented);
  const std::string message(alignment.status().message());
  EXPECT_THAT(message, HasSubstr("libpocketsphinx.so.3")) << "the library found";
  EXPECT_THAT(message, HasSubstr("want pocketsphinx 0.8+5prealpha"));
}

TEST_F(StateAlignmentTest, WordsOutsideTheDictionaryAreNamed) {
  const auto alignment = StateAlignment::Create(decoder_, kModel);
  ASSERT_TRUE(alignment.ok()) << alignment.status();
  const auto aligned = (*alignment)->Align({"zzyzzx"});
  EXPECT_EQ(aligned.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(aligned.status().message()), HasSubstr("'zzyzzx'"));
}

}  // namespace
}  // namespace downpour
