# Printed by the interpreter of a virtual environment: where it is, and which of its programs start another interpreter.
import json, os, sys
place = os.path.realpath(sys.argv[1])
stale, folder = [], os.path.join(sys.argv[1], "bin")
for name in sorted(os.listdir(folder)):
    path = os.path.join(folder, name)
    if os.path.islink(path) or not os.path.isfile(path):
        continue
    with open(path, "rb") as program:
        line = program.readline(4096)
    if not line.startswith(b"#!/"):
        continue
    words = line[2:].split()
    start = os.fsdecode(words[0]) if words else ""
    if "python" in os.path.basename(start) and os.path.realpath(os.path.dirname(start)) != os.path.realpath(folder):
        stale.append(name)
made_with = None
try:
    with open(os.path.join(place, "pyvenv.cfg")) as cfg:
        for line in cfg:
            key, _, value = line.partition("=")
            if key.strip() in ("version", "version_info"):
                made_with = value.strip()
except (OSError, ValueError):
    pass
print(json.dumps({
    "made_with": made_with,
    "inside": os.path.realpath(sys.prefix) == place,
    "base": os.path.realpath(sys.base_prefix) != os.path.realpath(sys.prefix),
    "version": "%d.%d.%d" % sys.version_info[:3],
    "stale": stale,
}))
