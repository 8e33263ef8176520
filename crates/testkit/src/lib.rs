//! For tests: two sessions joined by a virtual clock, frame scripts, split feeding, and real peers as processes.
