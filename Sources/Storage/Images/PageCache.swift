internal import Execution
internal import Logging
internal import Primitives
internal import Synchronization

/// The disk space that images of all databases of a store may take.
///
/// The image unused the longest makes room for another one, if nobody used it for a while: what
/// does not fit is then read from the databases, which is better than to throw out what others are
/// about to read. A full or faulty disk is no error here either.
final class PageCache: Sendable {
    private struct Use {
        let image: PageImage
        var lastUse: ContinuousClock.Instant
    }

    private struct State {
        var size: Int64 = 0
        var uses: [ObjectIdentifier: Use] = [:]
        /// Nothing is kept before then, after a failure.
        var pausedUntil: ContinuousClock.Instant?
    }

    struct Figures {
        var size: Int64
        var hitCount: Int
        var missCount: Int
    }

    /// How long an image that somebody used is safe, and how long a failure counts.
    private static let idleTime = Duration.seconds(10)
    private static let pause = Duration.seconds(60)

    /// Stale bytes of an image that are not worth a new file.
    let slack: Int64 = 64 << 20
    private let directory: String
    private let limit: Int64
    private let clock: MonotonicClock
    private let workers: WorkerPool
    private let logger: Logger
    private let state = Mutex(State())
    private let hits = Atomic(0)
    private let misses = Atomic(0)

    /// - Parameter limit: in bytes; 0 keeps nothing.
    init(
        directory: String, limit: Int64, clock: MonotonicClock, workers: WorkerPool, logger: Logger
    ) {
        self.directory = directory
        self.limit = limit
        self.clock = clock
        self.workers = workers
        self.logger = logger
    }

    var isOn: Bool { limit > 0 }

    var figures: Figures {
        Figures(
            size: state.withLock { $0.size }, hitCount: hits.load(ordering: .relaxed),
            missCount: misses.load(ordering: .relaxed))
    }

    func count(hit: Bool) {
        if hit {
            hits.wrappingAdd(1, ordering: .relaxed)
        } else {
            misses.wrappingAdd(1, ordering: .relaxed)
        }
    }

    func noteUse(of image: PageImage) {
        let now = clock.now()
        state.withLock { $0.uses[ObjectIdentifier(image)] = Use(image: image, lastUse: now) }
    }

    /// Nobody will use the image again.
    func remove(_ image: PageImage) {
        let use = state.withLock { $0.uses.removeValue(forKey: ObjectIdentifier(image)) }
        withExtendedLifetime(use) {}
        image.removeAll()
    }

    /// Takes room for `count` more bytes of an image. False if there is none.
    func reserve(_ count: Int, for image: PageImage) -> Bool {
        let now = clock.now()
        let (isTaken, victim) = state.withLock { state -> (Bool, PageImage?) in
            guard limit > 0 else { return (false, nil) }
            if let end = state.pausedUntil, now < end { return (false, nil) }
            if state.size + Int64(count) <= limit {
                state.size += Int64(count)
                return (true, nil)
            }
            let oldest = state.uses.min { $0.value.lastUse < $1.value.lastUse }
            guard let oldest, oldest.value.image !== image,
                now >= oldest.value.lastUse + Self.idleTime
            else { return (false, nil) }
            return (false, state.uses.removeValue(forKey: oldest.key)?.image)
        }
        guard let victim else { return isTaken }
        // Its room is free when the last part was sent, mostly at once.
        victim.removeAll()
        return reserve(count, for: image)
    }

    func release(_ count: Int64) {
        state.withLock { $0.size -= count }
    }

    func makeFile() throws(StorageError) -> ImageFile {
        try ImageFile(directory: directory, workers: workers, cache: self)
    }

    /// A tenth of the file system stays free for what matters.
    func hasRoomOnDisk(_ file: ImageFile) throws(StorageError) -> Bool {
        let (free, total) = try file.freeSpace()
        return free > total / 10
    }

    func failed(_ error: StorageError) {
        logger.warning("page_cache_failed", [("error", "\(error)")])
        let now = clock.now()
        state.withLock { $0.pausedUntil = now + Self.pause }
    }
}
