using System.Globalization;
using MassTransit;
using Microsoft.AspNetCore.Builder;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Notify.Contracts;
using Notify.Fanout;
using Notify.Messaging;
using Notify.Sending;
using Notify.Store;
using Notify.WebPush;

namespace Notify.Benchmarks.Load;

/// <summary>
/// The same queues and messages on MassTransit as it comes, with consumers as people write them, of which the last does nothing: an event becomes a part of an audience, that a command for each
/// subscription. It knows the subscriptions from memory, keeps no order, and remembers nothing.
/// </summary>
internal static class PlainWorker
{
    /// <summary>The argument that makes this program one.</summary>
    public const string Command = "plain-worker";

    // As many as Notify's own lanes have.
    private const int PrefetchOfFanout = 64;
    private static readonly int Prefetch = 4 * new SendingOptions().Concurrency;

    private static long _count;

    public static async Task RunAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.Logging.SetMinimumLevel(LogLevel.Warning);
        var configuration = builder.Configuration;
        builder.Services.AddSingleton(await ReadSubscriptionsAsync(configuration["ConnectionStrings:Notify"]!));
        builder.Services.AddSingleton(new LaneCounts(new FanoutOptions().Partitions, int.Parse(configuration["Notify:Sending:Partitions"]!, CultureInfo.InvariantCulture)));
        builder.Services.AddOptions<MassTransitHostOptions>().Configure(options => options.WaitUntilStarted = true);
        builder.Services.AddMassTransit(bus =>
        {
            bus.DisableUsageTelemetry();
            bus.AddConsumer<Events>();
            bus.AddConsumer<Parts>();
            bus.AddConsumer<Commands>();
            bus.UsingRabbitMq((context, rabbit) =>
            {
                var lanes = context.GetRequiredService<LaneCounts>();
                rabbit.Host(new Uri(configuration["ConnectionStrings:RabbitMq"]!));
                AddQueue<Events>(Queues.UserFanout, PrefetchOfFanout, isOfEvents: true);
                for (var lane = 0; lane < lanes.OfParts; lane++)
                {
                    AddQueue<Parts>(Lanes.QueueOf(Queues.UserFanoutPart, lane), PrefetchOfFanout);
                }

                for (var lane = 0; lane < lanes.OfCommands; lane++)
                {
                    AddQueue<Commands>(Lanes.QueueOf(Queues.SubscriptionSend, lane), Prefetch);
                }

                void AddQueue<TConsumer>(string queue, int prefetch, bool isOfEvents = false)
                    where TConsumer : class, IConsumer => rabbit.ReceiveEndpoint(queue, endpoint =>
                    {
                        endpoint.SetQuorumQueue();
                        endpoint.SingleActiveConsumer = true;
                        endpoint.PrefetchCount = prefetch;
                        endpoint.ConfigureConsumeTopology = isOfEvents;
                        if (isOfEvents)
                        {
                            endpoint.UseRawJsonDeserializer(RawSerializerOptions.AnyMessageType, isDefault: true);
                        }

                        endpoint.ConfigureConsumer<TConsumer>(context);
                    });
            });
        });
        await using var app = builder.Build();
        app.MapGet(NothingWorker.CountPath, () => Volatile.Read(ref _count));
        await app.StartAsync();
        Console.WriteLine($"Notify is ready: open {NotifyApplication.AddressOf(app)}");
        await app.WaitForShutdownAsync();
    }

    private static async Task<Known> ReadSubscriptionsAsync(string database)
    {
        var options = new DbContextOptionsBuilder<PostgreSqlNotifyDbContext>();
        options.UseNotifyPostgreSql(database);
        await using var db = new PostgreSqlNotifyDbContext(options.Options);
        var rows = await db.Subscriptions.AsNoTracking().Select(row => new { row.UserId, row.Id }).ToListAsync();
        return new Known(rows.ToLookup(row => row.UserId, row => row.Id));
    }

    private sealed record Known(ILookup<string, Guid> Subscriptions);

    private sealed record LaneCounts(int OfParts, int OfCommands);

    private sealed class Events(LaneCounts lanes) : IConsumer<MessagePosted>
    {
        public async Task Consume(ConsumeContext<MessagePosted> context)
        {
            var message = context.Message;
            var key = UserFanoutConsumer.OrderKeyOf(message);
            var endpoint = await context.GetSendEndpoint(new Uri($"exchange:{Lanes.QueueOf(Queues.UserFanoutPart, Lanes.LaneOf(key, lanes.OfParts))}"));
            await endpoint.Send(
                new UserFanoutPart
                {
                    MessageId = message.MessageId,
                    OrderKey = key,
                    Offset = 0,
                    RecipientIds = message.RecipientIds,
                    Payload = PushPayload.Render(message, context.SentTime),
                    Topic = PushTopic.From(PushPayload.TagOf(message)),
                    Urgency = message.Urgency ?? "normal",
                    TtlSeconds = message.TtlSeconds ?? 0,
                    ExpiresAt = DateTimeOffset.UtcNow.AddSeconds(message.TtlSeconds ?? 0),
                },
                context.CancellationToken);
        }
    }

    private sealed class Parts(Known known, LaneCounts lanes) : IConsumer<UserFanoutPart>
    {
        public Task Consume(ConsumeContext<UserFanoutPart> context) =>
            Task.WhenAll(context.Message.RecipientIds.SelectMany(user => known.Subscriptions[user].Select(subscription => SendAsync(context, user, subscription))));

        private async Task SendAsync(ConsumeContext<UserFanoutPart> context, string user, Guid subscription)
        {
            var part = context.Message;
            var endpoint = await context.GetSendEndpoint(new Uri($"exchange:{Lanes.QueueOf(Queues.SubscriptionSend, Lanes.LaneOf(subscription.ToString(), lanes.OfCommands))}"));
            await endpoint.Send(
                new SendPush
                {
                    SubscriptionId = subscription,
                    UserId = user,
                    MessageId = part.MessageId,
                    Payload = part.Payload,
                    Topic = part.Topic,
                    Urgency = part.Urgency,
                    TtlSeconds = part.TtlSeconds,
                    ExpiresAt = part.ExpiresAt,
                },
                context.CancellationToken);
        }
    }

    private sealed class Commands : IConsumer<SendPush>
    {
        public Task Consume(ConsumeContext<SendPush> context)
        {
            Interlocked.Increment(ref _count);
            return Task.CompletedTask;
        }
    }
}
