// Where on the data's way: beside it; samples become families as Prometheus wants them.
#include "common/metrics/metric_families.h"

#include <gtest/gtest.h>
#include <prometheus/text_serializer.h>

#include "common/metrics/duration_counter.h"

namespace downpour {
namespace {

TEST(MetricFamilies, SamplesOfOneNameAreOneFamily) {
  MetricFamilies families;
  families.AddCounter("a_total", "About a.", 3, {{"kind", "push"}});
  families.AddGauge("b", "About b.", 0.5);
  families.AddCounter("a_total", "About a.", 4, {{"kind", "fetch"}});
  EXPECT_EQ(
      prometheus::TextSerializer().Serialize(families.families()),
      "# HELP a_total About a.\n# TYPE a_total counter\na_total{kind=\"push\"} 3\na_total{kind=\"fetch\"} 4\n"
      "# HELP b About b.\n# TYPE b gauge\nb 0.5\n");
}

TEST(MetricFamilies, DurationsAreACountAndASumInSeconds) {
  DurationCounter counter;
  counter.Count(absl::Milliseconds(250));
  counter.Count(absl::Milliseconds(500));
  MetricFamilies families;
  families.AddDurations("c_seconds", "About c.", counter.count(), counter.sum());
  EXPECT_EQ(prometheus::TextSerializer().Serialize(families.families()),
            "# HELP c_seconds About c.\n# TYPE c_seconds summary\nc_seconds_count 2\nc_seconds_sum 0.75\n");
}

TEST(MetricFamilies, AHistogramEndsWithTheBucketOfAll) {
  MetricFamilies families;
  families.AddHistogram("d", "About d.", {{0, 1}, {2, 3}}, 5, 20);
  EXPECT_EQ(prometheus::TextSerializer().Serialize(families.families()),
            "# HELP d About d.\n# TYPE d histogram\nd_count 5\nd_sum 20\nd_bucket{le=\"0\"} 1\n"
            "d_bucket{le=\"2\"} 3\nd_bucket{le=\"+Inf\"} 5\n");
}

}  // namespace
}  // namespace downpour
