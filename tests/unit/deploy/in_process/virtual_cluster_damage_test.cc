// Where on the data's way: guards deploy/in_process/: whatever number of a checkpoint is wrong, the run says
// so or goes on; no checkpoint ends the program.
#include <google/protobuf/message.h>

#include <filesystem>
#include <limits>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/virtual_run.h"

namespace downpour {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using ::testing::HasSubstr;

template <typename Set>
void TryValues(const FieldDescriptor& field, const Set& set) {
  for (const int64_t value : {int64_t{-1}, int64_t{0}, int64_t{1}, int64_t{1} << 30, int64_t{1} << 50})
    set(static_cast<double>(value), value);
  const bool is_real = field.cpp_type() == FieldDescriptor::CPPTYPE_DOUBLE ||
                       field.cpp_type() == FieldDescriptor::CPPTYPE_FLOAT;
  if (is_real) set(std::numeric_limits<double>::quiet_NaN(), 0);
}

void SetNumber(Message* message, const FieldDescriptor& field, int index, double real, int64_t whole) {
  const google::protobuf::Reflection& fields = *message->GetReflection();
  const bool list = field.is_repeated();
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return list ? fields.SetRepeatedInt32(message, &field, index, static_cast<int32_t>(whole))
                  : fields.SetInt32(message, &field, static_cast<int32_t>(whole));
    case FieldDescriptor::CPPTYPE_UINT32:
      return list ? fields.SetRepeatedUInt32(message, &field, index, static_cast<uint32_t>(whole))
                  : fields.SetUInt32(message, &field, static_cast<uint32_t>(whole));
    case FieldDescriptor::CPPTYPE_INT64:
      return list ? fields.SetRepeatedInt64(message, &field, index, whole)
                  : fields.SetInt64(message, &field, whole);
    case FieldDescriptor::CPPTYPE_UINT64:
      return list ? fields.SetRepeatedUInt64(message, &field, index, static_cast<uint64_t>(whole))
                  : fields.SetUInt64(message, &field, static_cast<uint64_t>(whole));
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return list ? fields.SetRepeatedDouble(message, &field, index, real)
                  : fields.SetDouble(message, &field, real);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return list ? fields.SetRepeatedFloat(message, &field, index, static_cast<float>(real))
                  : fields.SetFloat(message, &field, static_cast<float>(real));
    case FieldDescriptor::CPPTYPE_BOOL:
      return fields.SetBool(message, &field, whole != 0);
    case FieldDescriptor::CPPTYPE_ENUM:
      if (field.file()->syntax() == google::protobuf::FileDescriptor::SYNTAX_PROTO3)
        fields.SetEnumValue(message, &field, static_cast<int>(whole));
      return;
    case FieldDescriptor::CPPTYPE_STRING:
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return;
  }
}

// Calls `visit` once for each wrong value of each number in `message` and in the messages within it, with
// that value set. Of a list the first and the last element get wrong values, and the last is left out too.
void ForEachWrongNumber(Message* message, const std::function<void()>& visit) {
  const google::protobuf::Reflection& reflection = *message->GetReflection();
  for (int i = 0; i < message->GetDescriptor()->field_count(); ++i) {
    const FieldDescriptor& field = *message->GetDescriptor()->field(i);
    const std::unique_ptr<Message> original(message->New());
    original->CopyFrom(*message);
    const auto visit_and_restore = [&] {
      visit();
      message->CopyFrom(*original);
    };
    const bool is_message = field.cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE;
    const int size = field.is_repeated() ? reflection.FieldSize(*message, &field) : 1;
    for (int index = 0; index < size; index += std::max(1, size - 1)) {
      if (is_message && field.is_repeated()) {
        ForEachWrongNumber(reflection.MutableRepeatedMessage(message, &field, index), visit);
      } else if (is_message) {
        if (reflection.HasField(*message, &field))
          ForEachWrongNumber(reflection.MutableMessage(message, &field), visit);
      } else {
        TryValues(field, [&](double real, int64_t whole) {
          SetNumber(message, field, index, real, whole);
          visit_and_restore();
        });
      }
    }
    if (field.is_repeated() && size > 0) {
      reflection.RemoveLast(message, &field);
      visit_and_restore();
    }
  }
}

class VirtualClusterDamageTest : public ::testing::Test {
 protected:
  absl::Status GoOn(const VirtualClusterSnapshot& snapshot) {
    VirtualRunOptions options;
    options.resume_from = &snapshot;
    options.stop_at_event = 40;
    return RunVirtually(description_, options).status;
  }

  RunDescription description_ = SyntheticRun();
};

TEST_F(VirtualClusterDamageTest, NoWrongNumberEndsTheProgram) {
  description_.mutable_virtual_clock()->set_bandwidth_bytes_per_s(2000);  // transfers are under way
  description_.mutable_virtual_clock()->set_shard_bytes_per_s(5000);
  description_.mutable_cluster()->set_minibatch(4);
  description_.mutable_budget()->set_updates(60);
  int refused = 0, gone_on = 0;
  for (const int64_t event : {1, 47}) {
    VirtualClusterSnapshot snapshot = StoppedAt(description_, event);
    const auto visit = [&] {
      const absl::Status status = GoOn(snapshot);
      ++(status.ok() || absl::IsCancelled(status) ? gone_on : refused);
    };
    ForEachWrongNumber(&snapshot.header, visit);
    for (ShardSnapshot& shard : snapshot.shards) ForEachWrongNumber(&shard.header, visit);
  }
  EXPECT_GT(refused, 100);
  EXPECT_GT(gone_on, 100);
}

TEST_F(VirtualClusterDamageTest, TwoEventsOfOneReplicaAreRefused) {
  VirtualClusterSnapshot snapshot = StoppedAt(description_, 40);
  auto& events = *snapshot.header.mutable_events();
  *events.Add() = events[0];
  EXPECT_THAT(std::string(GoOn(snapshot).message()), HasSubstr("no two alike"));
  events.rbegin()->set_kind(events[0].kind() == VirtualClusterCheckpoint::Event::REPORT
                                ? VirtualClusterCheckpoint::Event::COMPUTED
                                : VirtualClusterCheckpoint::Event::REPORT);
  const absl::Status refused = GoOn(snapshot);
  EXPECT_EQ(refused.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("want one event"));
}

TEST_F(VirtualClusterDamageTest, TimeDoesNotRunBackwardsHoweverLongAStepTakes) {
  description_.mutable_virtual_clock()->set_compute_mean_s(1e18);
  const VirtualRunResult run = RunVirtually(description_);
  EXPECT_EQ(run.status, absl::OkStatus());
  double last = 0;
  for (const EvaluationRecord& record : run.records) {
    EXPECT_GE(record.point.virtual_s(), last);
    last = record.point.virtual_s();
  }
  EXPECT_GT(last, 1e9);
}

}  // namespace
}  // namespace downpour
