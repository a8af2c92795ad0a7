internal import Primitives
internal import Storage

/// What can be said about pushed frames without looking into trees: numbers, sizes, headers.
///
/// Every transaction is judged, because each becomes a state that others can see:
/// - pages lie within the size before the transaction or the one after, or not far beyond. Such
///   frames occur, and nobody ever reads them: SQLite spills its cache before a VACUUM shrinks the
///   file, and spills what a rolled-back savepoint had grown by even later. They are bounded because
///   the books take memory up to the highest page that ever had a frame.
/// - a page that the database grows by is among the frames, as SQLite writes every one of them,
///   but for the lock page. What a hole would hold depends on whether an older, larger
///   database was checkpointed.
/// - page 1 of the state after it is right for its size.
enum FrameRules {
    /// How far beyond the database's end a page may lie, in pages: 1 GiB.
    static let maximumDistance: UInt32 = 1 << 18

    /// Empty if the frames are one or more whole transactions.
    ///
    /// - Parameters:
    ///   - baseSize: of the database before them, in pages.
    ///   - pageOne: page 1 before them.
    static func problems(
        of frames: [WALFrame], baseSize: UInt32, pageOne: [UInt8]
    ) -> [String] {
        guard let last = frames.last else { return ["there are no frames"] }
        guard last.databaseSize != 0 else { return ["the last frame does not end a transaction"] }
        var size = baseSize
        var pageOne = pageOne
        var isPageOneJudged = false
        var transaction = Transaction(sizeBefore: size)
        for frame in frames {
            if let problem = transaction.add(frame.page) { return [problem] }
            if frame.page == 1 {
                pageOne = frame.content
                isPageOneJudged = false
            }
            guard frame.databaseSize != 0 else { continue }
            if let problem = transaction.end(at: frame.databaseSize) { return [problem] }
            if !isPageOneJudged || frame.databaseSize != size {
                let problems = HeaderRules.problems(
                    of: pageOne, databaseSize: frame.databaseSize)
                guard problems.isEmpty else { return problems }
                isPageOneJudged = true
            }
            size = frame.databaseSize
            transaction = Transaction(sizeBefore: size)
        }
        return []
    }

    private struct Transaction {
        let sizeBefore: UInt32
        private var largestPage: UInt32 = 0
        /// Pages beyond the size before.
        private var newPages: Set<UInt32> = []

        init(sizeBefore: UInt32) { self.sizeBefore = sizeBefore }

        mutating func add(_ page: UInt32) -> String? {
            guard PageNumber(page) != nil else { return "there is no page \(page)" }
            guard page != PageNumber.lockPage.rawValue else {
                return "page \(page) is the lock page, which is never written"
            }
            largestPage = max(largestPage, page)
            if page > sizeBefore { newPages.insert(page) }
            return nil
        }

        func end(at size: UInt32) -> String? {
            guard PageNumber(size) != nil else { return "no database has \(size) pages" }
            let limit = max(size, sizeBefore).addingReportingOverflow(maximumDistance)
            guard limit.overflow || largestPage <= limit.partialValue else {
                return "page \(largestPage) is beyond the database's end at \(size) pages"
            }
            guard size > sizeBefore else { return nil }
            let hasLockPage = (sizeBefore + 1...size).contains(PageNumber.lockPage.rawValue)
            let growth = Int(size - sizeBefore) - (hasLockPage ? 1 : 0)
            let count = newPages.count { $0 <= size }
            guard count == growth else {
                return "the database grows by \(growth) pages, of which \(count) were pushed"
            }
            return nil
        }
    }
}
