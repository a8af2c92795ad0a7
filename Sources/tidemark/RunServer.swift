/// Serves until SIGTERM or SIGINT; returns the exit code.
func runServer(_ configuration: ServeConfiguration) throws -> Int32 {
    throw CommandFailure(.unavailable, "this build has no server")
}
