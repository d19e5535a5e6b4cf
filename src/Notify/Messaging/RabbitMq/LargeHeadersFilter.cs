using System.Collections;
using System.Text;
using MassTransit;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq;

/// <summary>Drops what a message has of headers beyond a bound, the largest first.</summary>
/// <remarks>Headers must fit into one frame (<c>frame_max</c>, as a rule 128 KiB). What fails goes to the error queue with those that it came with and some that say why: a message that came with
/// nearly as much would end the connection each time that this is tried.</remarks>
internal sealed partial class LargeHeadersFilter(ILogger<LargeHeadersFilter> logger) : IFilter<ReceiveContext>
{
    private const int Most = 32 * 1024;

    // A type and a length.
    private const int Overhead = 8;

    public Task Send(ReceiveContext context, IPipe<ReceiveContext> next)
    {
        if (context.TryGetPayload<RabbitMqBasicConsumeContext>(out var delivered) && delivered.Properties.Headers is { Count: > 0 } headers)
        {
            DropFrom(headers, context.InputAddress);
        }

        return next.Send(context);
    }

    public void Probe(ProbeContext context) => context.CreateFilterScope("largeHeaders");

    private void DropFrom(IDictionary<string, object?> headers, Uri queue)
    {
        var size = headers.Sum(header => SizeOf(header.Key) + SizeOf(header.Value));
        if (size <= Most)
        {
            return;
        }

        var (had, count) = (size, 0);
        foreach (var (name, bytes) in headers.Select(header => (header.Key, Bytes: SizeOf(header.Key) + SizeOf(header.Value))).OrderByDescending(header => header.Bytes).ToList())
        {
            if (size <= Most)
            {
                break;
            }

            headers.Remove(name);
            (size, count) = (size - bytes, count + 1);
        }

        LogDropped(queue, had, Most, count);
    }

    private static int SizeOf(object? value) => Overhead + value switch
    {
        string text => Encoding.UTF8.GetByteCount(text),
        byte[] bytes => bytes.Length,
        BinaryTableValue binary => binary.Bytes.Length,
        IDictionary table => table.Keys.Cast<object>().Sum(key => SizeOf(key) + SizeOf(table[key])),
        IEnumerable list => list.Cast<object?>().Sum(SizeOf),
        _ => 0,
    };

    [LoggerMessage(LogLevel.Warning, "A message at {Queue} came with {Bytes} bytes of headers, of which {Most} are kept: the {Count} largest are dropped")]
    private partial void LogDropped(Uri queue, int bytes, int most, int count);
}
