using System.Globalization;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Notify.Contracts;
using Notify.IntegrationTests.Brokers;
using Notify.IntegrationTests.Databases;
using Notify.IntegrationTests.RabbitMq;
using Notify.LocalPushService;
using Notify.Tests;

namespace Notify.IntegrationTests.Faults;

/// <summary>What a push service that is down costs the others.</summary>
[Collection("RabbitMQ")]
public sealed class PushServiceDownTests(SharedBrokers brokers, SharedDatabases databases, ITestOutputHelper output)
{
    private const int Users = 100;
    private const int Events = 90;

    // Well below what the machine can do, so that it is places that are measured and not processors.
    private static readonly TimeSpan Pace = TimeSpan.FromSeconds(1.0 / 3);

    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>The table of docs/evidence.md, by hand: half of the subscriptions are at a push service that is well, half at one that is not.</summary>
    [Fact(Explicit = true)]
    public async Task Throughput_beside_one_that_is_down()
    {
        (string Name, PushFault? Fault)[] cases =
        [
            ("well", null),
            ("503 to everything", new PushFault { Status = 503, Times = int.MaxValue }),
            ("never answers", new PushFault { Delay = TimeSpan.FromHours(1), Times = int.MaxValue }),
        ];
        var rates = cases.ToDictionary(known => known.Name, _ => new List<double>());
        for (var round = 1; round <= 3; round++)
        {
            foreach (var (name, fault) in cases)
            {
                rates[name].Add(await MeasureAsync(fault));
                output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"round {round}: the other {name}: {rates[name][^1]:0.0} pushes a second"));
            }
        }

        static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);
        foreach (var (name, values) in rates)
        {
            output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| {name} | {Median(values):0.0} | {Median(values) / Median(rates["well"]):0.00} |"));
        }
    }

    private async Task<double> MeasureAsync(PushFault? fault)
    {
        await using var other = await LocalPushServer.StartAsync(new LocalPushServiceOptions { Url = "http://127.0.0.1:0" }, Cancellation);
        await using var otherAgent = await LocalUserAgent.ConnectAsync(other.Url, Cancellation);
        otherAgent.Decrypts = false;
        await using var service = await RabbitMqService.StartAsync(
            await brokers.NewVirtualHostAsync(RabbitMqVersion.V4),
            [.. (await databases.NewPostgreSqlAsync())!.Settings, $"--Notify:PushServices:Allowed:0={other.Url.GetLeftPart(UriPartial.Authority)}"]);
        await using var browser = await Browser.OpenAsync(service);
        browser.Agent.Decrypts = false;
        for (var user = 0; user < Users; user++)
        {
            await service.SubscribeAsync(browser.Agent, $"user-{user}");
            await service.SubscribeAsync(otherAgent, $"user-{user}");
        }

        if (fault is not null)
        {
            other.Faults.Add(fault);
        }

        var bus = service.Services.GetRequiredService<IBus>();
        var users = Enumerable.Range(0, Users).Select(user => $"user-{user}").ToList();
        using var timer = new PeriodicTimer(Pace);
        var started = TimeProvider.System.GetTimestamp();
        for (var i = 0; i < Events; i++)
        {
            await bus.Publish(new MessagePosted { MessageId = Guid.NewGuid(), ConversationId = "room", RecipientIds = users, Title = $"{i}" }, Cancellation);
            await timer.WaitForNextTickAsync(Cancellation);
        }

        await Eventually.GetAsync(() => Task.FromResult(browser.Received.Count), count => count == Users * Events, TimeSpan.FromMinutes(5));
        var rate = Users * Events / TimeProvider.System.GetElapsedTime(started).TotalSeconds;

        // Cuts the connections, so that the service need not wait for what hangs.
        await other.DisposeAsync();
        return rate;
    }
}
