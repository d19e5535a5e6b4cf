namespace Notify.Dashboard;

/// <summary>Registers the dashboard.</summary>
internal static class DashboardSetup
{
    public static IServiceCollection AddNotifyDashboard(this IServiceCollection services) => services
        .AddSingleton<WorkerMeter>()
        .AddSingleton<Workers>()
        .AddSingleton<Backlog>()
        .AddScoped<Timelines>()
        .AddHostedService(provider => provider.GetRequiredService<Backlog>())
        .AddHostedService<WorkerReporter>();
}
