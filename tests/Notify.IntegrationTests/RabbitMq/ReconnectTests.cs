using System.Net;
using Notify.IntegrationTests.Brokers;
using Notify.Tests;

namespace Notify.IntegrationTests.RabbitMq;

public sealed class ReconnectTests
{
    private static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>MassTransit tells of each wait that grows with every try and never shrinks: "Retrying 00:00:06".</summary>
    [Theory]
    [InlineData(RabbitMqVersion.V3)]
    [InlineData(RabbitMqVersion.V4)]
    public async Task After_a_long_outage_the_next_one_costs_no_more_than_the_first(RabbitMqVersion version)
    {
        var folder = Directory.CreateTempSubdirectory("notify-test-");
        try
        {
            await using var broker = await RabbitMqBroker.StartAsync(version, Cancellation);
            await using var worker = await WorkerProcess.StartAsync(
                ("Notify__Transport", "RabbitMq"),
                ("ConnectionStrings__RabbitMq", $"{broker.AmqpUri}"),
                ("ConnectionStrings__Notify", $"Data Source={folder.FullName}/notify.db"),
                ("Notify__LocalPushService__Url", "http://localhost:0"),
                ("Logging__LogLevel__MassTransit", "Information"));
            using var http = new HttpClient { BaseAddress = worker.Url };

            foreach (var tries in new[] { 5, 1 })
            {
                var before = Failed();
                await broker.KillAsync();
                await Eventually.TrueAsync(() => Failed() >= before + tries);
                await broker.StartAgainAsync(Cancellation);
                await Eventually.GetAsync(() => http.GetAsync("health/ready", Cancellation), answer => answer.StatusCode == HttpStatusCode.OK);
            }

            Assert.DoesNotContain(worker.Lines, line => line.Contains("Retrying 00:", StringComparison.Ordinal));

            int Failed() => worker.Lines.Count(line => line.Contains("Connection Failed", StringComparison.Ordinal));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
