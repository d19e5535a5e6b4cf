using Microsoft.Extensions.DependencyInjection;
using Notify.IntegrationTests.Brokers;
using Notify.Tests;
using Notify.Tests.Fanout;

namespace Notify.IntegrationTests.RabbitMq;

/// <summary>On RabbitMQ.</summary>
[Collection("RabbitMQ")]
public sealed class RabbitMqFanoutMemoryTests(SharedBrokers brokers) : FanoutMemoryTests
{
    protected override async Task<NotifyService> StartAsync(Action<IServiceCollection> configure) =>
        await RabbitMqService.StartAsync(await brokers.NewVirtualHostAsync(RabbitMqVersion.V4), folder: null, configure);
}
