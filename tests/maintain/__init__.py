"""Tests of `tachy_server.maintain`: nothing is lost, doubled or changed by merging, whatever happens meanwhile."""
