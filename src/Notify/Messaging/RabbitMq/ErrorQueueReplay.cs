using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MassTransit;
using RabbitMQ.Client;

namespace Notify.Messaging.RabbitMq;

/// <summary>The queue beside one of Notify's to which MassTransit moves what failed there.</summary>
/// <param name="connection">To the broker.</param>
/// <param name="source">The queue that the messages came from.</param>
/// <param name="count">Messages in the error queue by now.</param>
/// <param name="lanes">Lanes of each stage that the broker has.</param>
internal sealed partial class ErrorQueueReplay(IConnection connection, string source, int count, IReadOnlyDictionary<string, int> lanes)
{
    private const string Suffix = "_error";

    // What MassTransit adds to a message that it moves here.
    private const string FaultHeaders = "MT-Fault-";

    private const int MaxTextLength = 200;

    public string Name => source + Suffix;

    public int Count => count;

    /// <summary>The error queues that the broker has, of these queues.</summary>
    public static async Task<List<ErrorQueueReplay>> FindAsync(IConnection connection, IEnumerable<string> sources, IReadOnlyDictionary<string, int> lanes, CancellationToken cancellationToken)
    {
        var found = new List<ErrorQueueReplay>();
        foreach (var source in sources)
        {
            if (await QuorumQueues.FindAsync(connection, source + Suffix, cancellationToken) is { } queue)
            {
                found.Add(new ErrorQueueReplay(connection, source, (int)queue.MessageCount, lanes));
            }
        }

        return found;
    }

    /// <summary>A queue's name without what marks an error queue.</summary>
    public static string SourceOf(string queue) => queue.EndsWith(Suffix, StringComparison.Ordinal) ? queue[..^Suffix.Length] : queue;

    /// <summary>Why the oldest messages failed; each reason once, and null where a message has none. Takes nothing away.</summary>
    /// <param name="most">Messages looked at, at most.</param>
    /// <param name="cancellationToken">Gives up.</param>
    public async Task<IReadOnlyCollection<string?>> ReasonsAsync(int most, CancellationToken cancellationToken)
    {
        await using var channel = await connection.CreateChannelAsync(cancellationToken: cancellationToken);
        var reasons = new HashSet<string?>();
        for (var left = Math.Min(count, most); left > 0 && await channel.BasicGetAsync(Name, autoAck: false, cancellationToken) is { } message; left--)
        {
            reasons.Add(message.BasicProperties.Headers?.TryGetValue(MessageHeaders.FaultMessage, out var reason) is true ? TextOf(reason) : null);
        }

        await GiveBackAsync(channel, cancellationToken);
        return reasons;
    }

    /// <summary>Moves messages to where they came from, oldest first; of those that were here when it was looked for.</summary>
    /// <param name="most">Messages moved, at most.</param>
    /// <param name="fault">Is told in a sentence why a message stays.</param>
    /// <param name="cancellationToken">Gives up. What was moved by then may be moved once more the next time, but none is lost.</param>
    /// <returns>How many were moved.</returns>
    public async Task<int> PutBackAsync(int most, Action<string> fault, CancellationToken cancellationToken)
    {
        await using var channel = await connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancellationToken);
        var moved = 0;
        for (var left = count; left > 0 && moved < most && await channel.BasicGetAsync(Name, autoAck: false, cancellationToken) is { } message; left--)
        {
            if (TryAddress(message.Body) is not var (queue, body))
            {
                fault($"Message {TextOf(message.BasicProperties.MessageId) ?? "without an id"} cannot be read: it is none of Notify's commands in MassTransit's envelope.");
                continue;
            }

            try
            {
                await channel.BasicPublishAsync("", queue, mandatory: true, PropertiesOf(message.BasicProperties), body, cancellationToken);
            }
            catch (RabbitMQ.Client.Exceptions.PublishException exception)
            {
                fault(exception.IsReturn ? $"There is no queue {queue}. Start Notify, which declares it, and run this again." : $"The queue {queue} takes no message at present.");
                break;
            }

            await channel.BasicAckAsync(message.DeliveryTag, multiple: false, cancellationToken);
            moved++;
        }

        await GiveBackAsync(channel, cancellationToken);
        return moved;
    }

    // All together, at the end: one that is given back at once would be the next to come. Tag 0 means all that came by this channel.
    private static async Task GiveBackAsync(IChannel channel, CancellationToken cancellationToken)
    {
        await channel.BasicNackAsync(0, multiple: true, requeue: true, cancellationToken);
        await channel.CloseAsync(cancellationToken);
    }

    private (string Queue, ReadOnlyMemory<byte> Body)? TryAddress(ReadOnlyMemory<byte> body)
    {
        if (lanes.Keys.SingleOrDefault(stage => source.StartsWith($"{stage}-", StringComparison.Ordinal)) is not { } stage)
        {
            return (source, body);
        }

        try
        {
            var envelope = JsonNode.Parse(body.Span, documentOptions: new JsonDocumentOptions { AllowDuplicateProperties = false });
            var message = envelope?["message"];
            var key = stage == Queues.SubscriptionSend ? message?["subscriptionId"]?.GetValue<Guid>().ToString() : message?["orderKey"]?.GetValue<string>();
            if (key is null)
            {
                return null;
            }

            // By its key even where the lane is known: the number of lanes may have changed since. And its headers count in the envelope: with the attempts
            // of a waiting line that has moved on, a push would be taken for a copy that was overtaken, and dropped.
            var isOutOfLine = envelope!["headers"] is JsonObject headers && headers.Remove(PushSender.AttemptsHeader);
            return (Lanes.QueueOf(stage, Lanes.LaneOf(key, Math.Max(lanes[stage], 1))), isOutOfLine ? JsonSerializer.SerializeToUtf8Bytes(envelope) : body);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static BasicProperties PropertiesOf(IReadOnlyBasicProperties original)
    {
        var properties = new BasicProperties(original)
        {
            Headers = original.Headers?.Where(header => !header.Key.StartsWith(FaultHeaders, StringComparison.Ordinal) && header.Key is not (MessageHeaders.Reason or PushSender.AttemptsHeader)).ToDictionary(),
        };
        properties.ClearExpiration();
        return properties;
    }

    // Fit for a terminal and short; and whatever an exception may have said, no endpoint's path and no key.
    private static string? TextOf(object? header)
    {
        var text = header is byte[] bytes ? Encoding.UTF8.GetString(bytes) : $"{header}";
        var clean = Secrets().Replace(Unprintable().Replace(text, " "), "…").Trim();
        return clean.Length == 0 ? null : clean.Length <= MaxTextLength ? clean : clean[..(char.IsHighSurrogate(clean[MaxTextLength - 1]) ? MaxTextLength - 1 : MaxTextLength)];
    }

    // Controls, and characters that turn the direction of text.
    [GeneratedRegex(@"[\p{C}\p{Z}\uFFFD-[\p{Cs}]]+")]
    private static partial Regex Unprintable();

    [GeneratedRegex(@"(?<=://[^/\s]+/)\S+|[\w-]{43,}")]
    private static partial Regex Secrets();
}
