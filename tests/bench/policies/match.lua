rule "all" {
  when = { rcpt_domain = ".bench.test" },
  tls = "opportunistic",
}
