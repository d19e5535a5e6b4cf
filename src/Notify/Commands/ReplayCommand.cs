using System.CommandLine;
using Notify.Messaging;
using Notify.Messaging.RabbitMq;
using RabbitMQ.Client.Exceptions;

namespace Notify.Commands;

/// <summary><c>replay</c>: puts what failed back into the queues that it came from.</summary>
internal static class ReplayCommand
{
    private const int MostPeeked = 300;
    private const int MostReasons = 10;

    public static Command Create()
    {
        var queue = new Option<string?>("--queue") { Description = "Only what failed in this queue, such as user-fanout or subscription-send-3, or in all lanes of a stage, such as subscription-send." };
        var list = new Option<bool>("--list") { Description = $"Print how many messages failed, and why (of the oldest {MostPeeked} of a queue); put nothing back." };
        var max = new Option<int?>("--max") { Description = "Put at most so many messages of each queue back, the oldest first." };
        var command = new Command("replay", "Puts messages from RabbitMQ's error queues back into the queues they came from; exit code 1 if any could not be.") { queue, list, max }.TakesConfiguration();
        command.SetAction((arguments, cancellationToken) => RunAsync(
            NotifyApplication.CreateBuilder(arguments.Configuration()).Configuration, arguments.GetValue(queue), arguments.GetValue(list), arguments.GetValue(max), cancellationToken));
        return command;
    }

    private static async Task<int> RunAsync(ConfigurationManager configuration, string? queue, bool list, int? max, CancellationToken cancellationToken)
    {
        if (MessagingSetup.TransportOf(configuration) != TransportKind.RabbitMq)
        {
            throw new UsageException("Notify__Transport is not RabbitMq, and an in-memory bus keeps nothing to replay. Set Notify__Transport and ConnectionStrings__RabbitMq as the service has them.");
        }

        if (max is < 1 || (max is not null && list))
        {
            throw new UsageException(list ? "--list puts nothing back, so --max has no meaning beside it." : "--max is a number of messages, 1 or more.");
        }

        var source = queue is null ? null : ErrorQueueReplay.SourceOf(queue);
        if (source is not null && !IsOfNotify(source))
        {
            throw new UsageException($"'{queue}' is no queue that Notify keeps. It is one of {string.Join(", ", [.. Queues.WithoutLanes, .. Queues.WithLanes])}, or one of the last three with a dash and a lane's number.");
        }

        var address = RabbitMqAddress.Parse(configuration.GetConnectionString(RabbitMqAddress.ConnectionName));
        try
        {
            await using var connection = await address.ConnectAsync(cancellationToken);

            // As many as the broker has, not as are set here: the workers go by them.
            var lanes = new Dictionary<string, int>();
            foreach (var stage in Queues.WithLanes)
            {
                lanes[stage] = (await LaneCheck.FindAsync(connection, stage, cancellationToken)).Count;
            }

            IEnumerable<string> sources = source is null ? [.. Queues.WithoutLanes, .. Queues.WithLanes.SelectMany(QueuesOf)] : lanes.ContainsKey(source) ? QueuesOf(source) : [source];
            var errors = await ErrorQueueReplay.FindAsync(connection, sources, lanes, cancellationToken);
            if (errors.Count == 0)
            {
                Console.WriteLine($"There is no error queue{(source is null ? "" : $" of {source}")}: nothing has failed.");
            }

            var faults = 0;
            foreach (var error in errors)
            {
                if (list)
                {
                    await ListAsync(error, cancellationToken);
                }
                else
                {
                    faults += await PutBackAsync(error, max ?? int.MaxValue, cancellationToken);
                }
            }

            return faults > 0 ? 1 : 0;

            IEnumerable<string> QueuesOf(string stage) => Enumerable.Range(0, lanes[stage]).Select(lane => Lanes.QueueOf(stage, lane));
        }
        catch (BrokerUnreachableException)
        {
            throw new UsageException(address.CannotBeReached);
        }
        catch (Exception exception) when (exception is RabbitMQClientException or TimeoutException)
        {
            throw new UsageException($"RabbitMQ at {address} broke off: {(exception as OperationInterruptedException)?.ShutdownReason?.ReplyText ?? exception.Message}. What was not put back is still in its error queue.");
        }
    }

    private static bool IsOfNotify(string queue) =>
        Queues.WithoutLanes.Contains(queue) || Queues.WithLanes.Any(stage => queue == stage || Enumerable.Range(0, LaneCheck.MostLanes).Any(lane => queue == Lanes.QueueOf(stage, lane)));

    private static async Task ListAsync(ErrorQueueReplay error, CancellationToken cancellationToken)
    {
        Console.WriteLine($"{error.Name}: {error.Count} message{(error.Count == 1 ? "" : "s")}");
        var reasons = await error.ReasonsAsync(MostPeeked, cancellationToken);
        foreach (var reason in reasons.Take(MostReasons))
        {
            Console.WriteLine($"  - {reason ?? "(no reason given)"}");
        }

        if (reasons.Count > MostReasons)
        {
            Console.WriteLine("  - and others");
        }
    }

    private static async Task<int> PutBackAsync(ErrorQueueReplay error, int max, CancellationToken cancellationToken)
    {
        var faults = 0;
        var moved = await error.PutBackAsync(
            max,
            fault =>
            {
                faults++;
                Console.Error.WriteLine($"{error.Name}: {fault}");
            },
            cancellationToken);
        Console.WriteLine($"{error.Name}: {moved} put back, {error.Count - moved} stayed.");
        return faults;
    }
}
