#include <stdlib.h>

#include "exposition.h"
#include "unit.h"

START_TEST(writes_each_kind)
{
	struct pst_bucket b[] = { { 0.1, 1 }, { 5, 3 }, { 30000, 3 } };
	struct pst_metric v[] = {
		{ .name = "a_total", .kind = PST_COUNTER, .labels = "",
		    .help = "One\\ two\nthree", .value = 7 },
		{ .name = "g", .kind = PST_GAUGE, .help = "G",
		    .labels = "x=\"1\"", .value = -2 },
		{ .name = "g", .kind = PST_GAUGE, .help = "G",
		    .labels = "x=\"2\"", .value = 3 },
		{ .name = "h", .kind = PST_HISTOGRAM, .help = "H",
		    .labels = "", .value = 4, .sum = 31000.25, .nbucket = 3,
		    .bucket = b },
		{ .name = "h2_ms", .kind = PST_HISTOGRAM, .help = "H",
		    .labels = "p=\"r\"", .value = 1, .sum = 1, .nbucket = 1,
		    .bucket = b },
		{ .name = "sent", .kind = PST_COUNTER, .labels = "",
		    .help = "S", .value = 1 },
	};
	struct pst_metrics m = { sizeof(m), 6, v };
	size_t n;
	char *text = exposition(&m, &n);

	ck_assert_str_eq(text,
	    "# HELP postern_a_total One\\\\ two\\nthree\n"
	    "# TYPE postern_a_total counter\n"
	    "postern_a_total 7\n"
	    "# HELP postern_g G\n"
	    "# TYPE postern_g gauge\n"
	    "postern_g{x=\"1\"} -2\n"
	    "postern_g{x=\"2\"} 3\n"
	    "# HELP postern_h H\n"
	    "# TYPE postern_h histogram\n"
	    "postern_h_bucket{le=\"0.1\"} 1\n"
	    "postern_h_bucket{le=\"5\"} 3\n"
	    "postern_h_bucket{le=\"30000\"} 3\n"
	    "postern_h_bucket{le=\"+Inf\"} 4\n"
	    "postern_h_sum 31000.25\n"
	    "postern_h_count 4\n"
	    "# HELP postern_h2_seconds H\n"
	    "# TYPE postern_h2_seconds histogram\n"
	    "postern_h2_seconds_bucket{p=\"r\",le=\"0.0001\"} 1\n"
	    "postern_h2_seconds_bucket{p=\"r\",le=\"+Inf\"} 1\n"
	    "postern_h2_seconds_sum{p=\"r\"} 0.001\n"
	    "postern_h2_seconds_count{p=\"r\"} 1\n"
	    "# HELP postern_sent_total S\n"
	    "# TYPE postern_sent_total counter\n"
	    "postern_sent_total 1\n");
	free(text);
	m.count = 0;
	text = exposition(&m, &n);
	ck_assert_str_eq(text, "");
	free(text);
}
END_TEST

UNIT_SUITE(metrics_prometheus)
{
	tcase_add_test(tc, writes_each_kind);
}
