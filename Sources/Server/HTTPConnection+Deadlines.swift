internal import HTTP
internal import Transport

/// What the connection waits for, and for how long.
///
/// There is one timer a connection. It is not moved when a deadline becomes later, as it does with
/// every request; when it fires early it looks again. A request that is being handled has no
/// deadline here: that is the handler's affair.
extension HTTPConnection {
    private enum Wait {
        case idle, head, body, write, linger
    }

    private var wait: (for: Wait, since: UInt64, timeout: Duration)? {
        if isLingering { return (.linger, lingerStart, configuration.lingerTimeout) }
        if socket.queuedCount > 0 {
            return (.write, socket.lastWriteProgress, configuration.writeTimeout)
        }
        if state.isIdle { return (.idle, idleSince, configuration.idleTimeout) }
        if state.isReadingHead { return (.head, requestStart, configuration.headTimeout) }
        // Not while a sink has us wait: the client may have sent all it was allowed to.
        if state.isReadingBody && wantsBytes && stream == nil {
            return (.body, lastRead, configuration.bodyTimeout)
        }
        return nil
    }

    func armTimer() {
        guard let wait else { return }
        let (deadline, overflow) = wait.since.addingReportingOverflow(wait.timeout.nanoseconds)
        guard !overflow else { return }
        if let timer {
            guard deadline < timer.deadline else { return }
            loop.cancel(timer)
        }
        timer = loop.schedule(at: deadline) { [unowned self] in
            timer = nil
            timerFired()
        }
    }

    private func timerFired() {
        guard socket.isOpen else { return }
        if socket.queuedCount > 0 { socket.checkWriteProgress() }
        guard let wait else { return }
        guard loop.now >= wait.since + wait.timeout.nanoseconds else { return armTimer() }
        switch wait.for {
        case .idle, .linger: tearDown(reset: false)
        case .write: tearDown(reset: true)
        case .head: refuseLateRequest("the request's header fields took too long")
        case .body: refuseLateRequest("the request's body took too long")
        }
    }

    private func refuseLateRequest(_ text: String) {
        dropIntake()
        state.close()
        if state.canAnswer {
            send(.failure(status: 408, code: "request_timeout", text: text))
        } else {
            isClosing = true
        }
        advance()
    }
}
