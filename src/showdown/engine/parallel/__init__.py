"""One network trained by several devices together: each has a process, and each process a part of every step's rows."""
