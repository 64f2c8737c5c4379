"""Arrow FlightSQL over gRPC. Knows base, access, query, services."""
