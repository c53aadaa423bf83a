#include "tls/tlsref.h"

#include "base/die.h"

const char *
tlsref_kind_word(enum tlsref_kind kind)
{
	switch (kind) {
	case TLSREF_DOMAIN:
		return "domain";
	case TLSREF_MX:
		return "mx";
	case TLSREF_ROUTE:
		return "route";
	case TLSREF_NAME:
		return "name";
	case TLSREF_PTR:
		return "ptr";
	}
	panic("a reference of kind %d", (int)kind);
}
