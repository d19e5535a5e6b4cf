using System.Buffers;

namespace Notify.Operations;

/// <summary>Reads a request's body up to a bound.</summary>
internal static class RequestBody
{
    /// <summary>The whole body; null if it is longer than the bound, of which no more than that is read.</summary>
    public static Task<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int maxBytes, CancellationToken cancellationToken) =>
        ReadAsync(request, maxBytes, maxBytes, () => Task.CompletedTask, cancellationToken);

    /// <inheritdoc cref="ReadAsync(HttpRequest, int, CancellationToken)" />
    /// <param name="request">The request.</param>
    /// <param name="maxBytes">The bound.</param>
    /// <param name="largeBytes">From more than so many on it is large.</param>
    /// <param name="beforeLarge">Waited for once, before the rest of a large one is read.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public static async Task<ReadOnlyMemory<byte>?> ReadAsync(HttpRequest request, int maxBytes, int largeBytes, Func<Task> beforeLarge, CancellationToken cancellationToken)
    {
        var isLarge = false;
        if (request.ContentLength > maxBytes)
        {
            return null;
        }

        while (true)
        {
            var read = await request.BodyReader.ReadAsync(cancellationToken);
            var isTooLong = read.Buffer.Length > maxBytes;
            if (!isLarge && !isTooLong && (read.Buffer.Length > largeBytes || request.ContentLength > largeBytes))
            {
                isLarge = true;
                await beforeLarge();
            }

            if (isTooLong || read.IsCompleted)
            {
                ReadOnlyMemory<byte>? body = isTooLong ? default(ReadOnlyMemory<byte>?) : read.Buffer.ToArray();
                request.BodyReader.AdvanceTo(read.Buffer.End);
                return body;
            }

            request.BodyReader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }
}
