"""Arrow FlightSQL over gRPC. Knows base, query, services."""
