rule "partner" {
  when = { rcpt_domain = ".partner.example" },
  tls = "required-verify",
}
