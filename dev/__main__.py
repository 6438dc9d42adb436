import sys
from dev import gotools
gotools.ensure(sys.argv[1:] or gotools.ALL)
