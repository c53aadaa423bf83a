#include "tls/tlspeer.h"

#include "tls/tlsio_priv.h"
#include "tls/tlsverify.h"

void
tlspeer_judge(const struct tlsio *t, const struct tlswant *want,
    const struct tlsref *refs, const struct tlstrust *trust,
    struct tlspeer *p_r)
{
	const struct tlsverify_in in = {
		.chain = SSL_get0_peer_certificates(t->ssl),
		.trust = trust,
		.server = true,
		.refs = refs,
		.pin = want->pin,
		.npin = want->npin,
	};
	struct tlsverify v;

	tlsverify_chain(&in, &v);
	p_r->verified = v.ok;
	p_r->reason = v.reason;
	p_r->matched_by = v.by;
	(void)str_copy(p_r->matched, sizeof(p_r->matched), str_c(v.matched));
}
