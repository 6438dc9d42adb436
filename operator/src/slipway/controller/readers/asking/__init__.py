"""How foreign addresses are asked: bounded, in turn, and waited for by nobody."""
