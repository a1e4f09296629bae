"""The shared kernel: errors, ids, time, events, unit of work. Keep it tiny."""
