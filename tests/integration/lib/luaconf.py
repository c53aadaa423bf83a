"""A boot file written from a dictionary."""

# Blocks that carry a name: listener "inbound" { ... }; a plugin's may be a pair,
# its own and the instance's.
NAMED = ("listener", "route", "bounce_profile", "destination", "plugin",
         "sender_group", "mail_flow_policy", "recipient_access",
         "sender_exception", "alert_recipient")


def merge(base, changes):
    """A copy of base with the changes; None takes a setting away."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        else:
            result[key] = value
    return result


def text(config):
    lines = []
    for key, value in config.items():
        if key in NAMED:
            for name, block in value.items():
                names = (name,) if isinstance(name, str) else name
                lines.append("%s %s %s" % (
                    key, " ".join(map(_quote, names)), _value(block)))
        elif isinstance(value, dict):
            lines.append("%s %s" % (key, _value(value)))
        else:
            lines.append("%s = %s" % (key, _value(value)))
    return "\n".join(lines) + "\n"


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    if isinstance(value, (list, tuple)):
        return "{ %s }" % ", ".join(_value(item) for item in value)
    if isinstance(value, dict):
        return "{ %s }" % ", ".join(
            "%s = %s" % (key, _value(item)) for key, item in value.items())
    return _quote(value)


def _quote(value):
    value = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"%s"' % value.replace("\n", "\\n")
